//! Values of placeholders.

use engine::sql::SqlValue;
use pgwire::api::Type;
use pgwire::error::PgWireResult;

use super::errors;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH_US: i64 = 946_684_800_000_000;
const DAY_US: i64 = 86_400_000_000;

/// A value as it was sent: text or the binary form of a type.
///
/// # Errors
/// When it is no value of the type, or of a type that statements do not take.
pub(super) fn value(kind: &Type, bytes: Option<&[u8]>, is_binary: bool) -> PgWireResult<SqlValue> {
    let Some(bytes) = bytes else { return Ok(SqlValue::Null) };
    let value = if is_binary { of_binary(kind, bytes) } else { of_text(kind, bytes) };
    value.ok_or_else(|| {
        let form = if is_binary { "binary" } else { "text" };
        errors::because("22P02", format!("a parameter is no {kind} in {form} form that can be read here"))
    })
}

fn of_text(kind: &Type, bytes: &[u8]) -> Option<SqlValue> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(match *kind {
        Type::BOOL => match text.to_ascii_lowercase().as_str() {
            "t" | "true" | "on" | "yes" | "1" => SqlValue::Boolean(true),
            "f" | "false" | "off" | "no" | "0" => SqlValue::Boolean(false),
            _ => return None,
        },
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => SqlValue::Integer(text.trim().parse().ok()?),
        Type::FLOAT4 | Type::FLOAT8 => SqlValue::Number(text.trim().parse().ok()?),
        // A whole number stays exact.
        Type::NUMERIC => match text.trim().parse() {
            Ok(integer) => SqlValue::Integer(integer),
            Err(_) => SqlValue::Number(text.trim().parse().ok()?),
        },
        _ => SqlValue::Text(text.to_owned()),
    })
}

fn of_binary(kind: &Type, bytes: &[u8]) -> Option<SqlValue> {
    Some(match *kind {
        Type::BOOL => SqlValue::Boolean(*<&[u8; 1]>::try_from(bytes).ok()?.first()? != 0),
        Type::INT2 => SqlValue::Integer(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT4 => SqlValue::Integer(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::OID => SqlValue::Integer(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT8 => SqlValue::Integer(i64::from_be_bytes(bytes.try_into().ok()?)),
        Type::FLOAT4 => SqlValue::Number(f32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::FLOAT8 => SqlValue::Number(f64::from_be_bytes(bytes.try_into().ok()?)),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            SqlValue::Timestamp(i64::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_US)?)
        }
        Type::DATE => {
            let days = i64::from(i32::from_be_bytes(bytes.try_into().ok()?));
            SqlValue::Timestamp(days.checked_mul(DAY_US)?.checked_add(EPOCH_US)?)
        }
        Type::UUID => SqlValue::Text(uuid::Uuid::from_slice(bytes).ok()?.to_string()),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
            SqlValue::Text(String::from_utf8(bytes.to_vec()).ok()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_both_forms() {
        let text = |kind, text: &str| value(&kind, Some(text.as_bytes()), false).ok();
        let binary = |kind, bytes: &[u8]| value(&kind, Some(bytes), true).ok();
        assert_eq!(text(Type::INT4, "-7"), Some(SqlValue::Integer(-7)));
        assert_eq!(text(Type::NUMERIC, "0.5"), Some(SqlValue::Number(0.5)));
        assert_eq!(text(Type::BOOL, "t"), Some(SqlValue::Boolean(true)));
        assert_eq!(text(Type::TEXT, "' OR 1"), Some(SqlValue::Text("' OR 1".into())));
        assert_eq!(text(Type::INT4, "seven"), None);
        assert_eq!(binary(Type::INT8, &(-7_i64).to_be_bytes()), Some(SqlValue::Integer(-7)));
        assert_eq!(binary(Type::INT8, b"1"), None);
        assert_eq!(binary(Type::TIMESTAMPTZ, &0_i64.to_be_bytes()), Some(SqlValue::Timestamp(EPOCH_US)));
        assert_eq!(binary(Type::DATE, &1_i32.to_be_bytes()), Some(SqlValue::Timestamp(EPOCH_US + DAY_US)));
        assert_eq!(binary(Type::NUMERIC, b"1"), None);
        assert_eq!(binary(Type::BOOL, b""), None);
        assert_eq!(value(&Type::INT4, None, true).unwrap(), SqlValue::Null);
    }
}
