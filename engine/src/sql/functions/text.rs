//! Functions of one text.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use uuid::Uuid;

use crate::pattern::mask;
use crate::schema::{SeverityText, UTC, timestamp_type};

/// Every function of this module.
pub(super) fn functions() -> Vec<ScalarUDF> {
    TextAs::ALL.into_iter().map(|kind| ScalarUDF::from(TextFunction::new(kind))).collect()
}

/// What is made of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TextAs {
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// A time.
    Time,
    /// A severity's name.
    Severity,
    /// The body without its values.
    Template,
    /// The text of a UUID, of 16 bytes.
    Uuid,
}

impl TextAs {
    const ALL: [Self; 6] =
        [Self::Number, Self::Boolean, Self::Time, Self::Severity, Self::Template, Self::Uuid];

    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Number => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Time => timestamp_type(),
            Self::Severity | Self::Template | Self::Uuid => DataType::Utf8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Number => "to_number",
            Self::Boolean => "to_boolean",
            Self::Time => "to_time",
            Self::Severity => "parse_severity",
            Self::Template => "template",
            Self::Uuid => "uuid_text",
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TextFunction {
    kind: TextAs,
    signature: Signature,
}

impl TextFunction {
    pub(super) fn new(kind: TextAs) -> Self {
        Self { kind, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TextFunction {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.kind.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = args.args.as_slice() else { return exec_err!("{} takes one argument", self.name()) };
        let array = text.to_array(args.number_rows)?;
        if self.kind == TextAs::Uuid {
            return Ok(ColumnarValue::Array(uuids(&array)?));
        }
        if self.kind == TextAs::Number
            && let Some(texts) = array.as_string_opt::<i32>()
        {
            let numbers: Float64Array = texts.iter().map(|text| number(text?)).collect();
            return Ok(ColumnarValue::Array(Arc::new(numbers)));
        }
        let array = cast(&array, &DataType::Utf8View)?;
        let texts: &StringViewArray = array.as_string_view();
        let values: ArrayRef = match self.kind {
            TextAs::Number => Arc::new(texts.iter().map(|text| number(text?)).collect::<Float64Array>()),
            TextAs::Boolean => Arc::new(texts.iter().map(|text| boolean(text?)).collect::<BooleanArray>()),
            TextAs::Time => {
                let times: TimestampMicrosecondArray = texts.iter().map(|text| time_us(text?)).collect();
                Arc::new(times.with_timezone(UTC))
            }
            TextAs::Severity => {
                Arc::new(texts.iter().map(|text| Some(severity(text?).as_str())).collect::<StringArray>())
            }
            TextAs::Template | TextAs::Uuid => {
                Arc::new(texts.iter().map(|text| Some(masked(text?))).collect::<StringArray>())
            }
        };
        Ok(ColumnarValue::Array(values))
    }
}

/// As attributes write their numbers, which may not be finite.
fn number(text: &str) -> Option<f64> {
    if let Some(number) = short_decimal(text.as_bytes()) {
        return Some(number);
    }
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // Words that Rust knows for numbers are none here.
        _ if text.contains(|char: char| char.is_ascii_alphabetic() && !matches!(char, 'e' | 'E')) => None,
        _ => text.parse().ok(),
    }
}

/// A number of at most 15 digits without an exponent, as nearly all are: its digits and the power of ten that divides them
/// are numbers without rounding, so that the quotient is rounded once, as it should be.
fn short_decimal(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (is_negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mut digits, mut num_digits, mut point) = (0_u64, 0, None);
    for byte in text {
        match byte {
            b'0'..=b'9' if num_digits < 15 => {
                digits = digits * 10 + u64::from(byte - b'0');
                num_digits += 1;
            }
            b'.' if point.is_none() => point = Some(num_digits),
            _ => return None,
        }
    }
    let decimals = num_digits - point.unwrap_or(num_digits);
    let number = (num_digits > 0).then(|| digits as f64 / POWERS[decimals])?;
    Some(if is_negative { -number } else { number })
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// ISO 8601 with or without a zone, UTC without one; or a whole number since 1970, whose size tells its unit.
fn time_us(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return match number.unsigned_abs() {
            0..100_000_000_000 => number.checked_mul(1_000_000),
            100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000),
            100_000_000_000_000..100_000_000_000_000_000 => Some(number),
            _ => Some(number.div_euclid(1_000)),
        };
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let naive = naive.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    naive.map(|time| time.and_utc().timestamp_micros())
}

fn masked(body: &str) -> String {
    let mut masked = String::new();
    mask(body, &mut masked);
    masked
}

fn severity(text: &str) -> SeverityText {
    match text.trim().parse::<i32>() {
        Ok(number) if number > 0 => SeverityText::from_number(number),
        _ => SeverityText::from_sender(text.trim()),
    }
}

fn uuids(bytes: &ArrayRef) -> Result<ArrayRef> {
    let Some(ids) = bytes.as_fixed_size_binary_opt().filter(|ids| ids.value_length() == 16) else {
        return exec_err!("uuid_text takes 16 bytes and not {}", bytes.data_type());
    };
    let text = |bytes: &[u8]| Some(Uuid::from_slice(bytes).ok()?.to_string());
    let texts = (0..ids.len()).map(|row| ids.is_valid(row).then(|| text(ids.value(row))).flatten());
    Ok(Arc::new(texts.collect::<StringArray>()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_are_no_numbers_are_none() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("-1.5e3", Some(-1500.0)),
            ("Infinity", Some(f64::INFINITY)),
            ("inf", None),
            ("nan", None),
            ("", None),
            ("1 ", None),
            ("0x1", None),
            ("1e", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        assert!(number("NaN").is_some_and(f64::is_nan));
        assert_eq!((boolean("true"), boolean("True"), boolean("1")), (Some(true), None, None));
    }

    proptest! {
        #[test]
        fn short_decimals_are_the_numbers_that_parsing_makes(text in "-?[0-9]{0,17}[.]?[0-9]{0,17}") {
            if let Some(number) = short_decimal(text.as_bytes()) {
                prop_assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            } else {
                let num_digits = text.bytes().filter(u8::is_ascii_digit).count();
                prop_assert!(num_digits == 0 || num_digits > 15, "{}", text);
            }
        }
    }

    #[test]
    fn times_are_dates_or_numbers_of_any_unit() {
        let expected = Some(1_765_881_180_000_000);
        for text in [
            "1765881180",
            "1765881180000",
            "1765881180000000",
            "1765881180000000000",
            "2025-12-16T10:33:00Z",
            "2025-12-16T11:33:00+01:00",
            "2025-12-16T10:33:00",
            "2025-12-16 10:33:00.000",
        ] {
            assert_eq!(time_us(text), expected, "{text}");
        }
        assert_eq!(time_us("2025-12-16"), Some(1_765_843_200_000_000));
        for text in ["", "yesterday", "2025-13-01", "99999999999999999999"] {
            assert_eq!(time_us(text), None, "{text}");
        }
    }

    #[test]
    fn severities_are_words_or_numbers() {
        for (text, expected) in
            [("WARNING", "warn"), ("17", "error"), (" err ", "error"), ("?", "info"), ("30", "unknown")]
        {
            assert_eq!(severity(text).as_str(), expected, "{text}");
        }
    }
}
