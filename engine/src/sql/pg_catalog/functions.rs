//! Functions that PostgreSQL's clients call to learn what there is.
//!
//! All but those that know who asks, and what, are made once in a process.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion_pg_catalog::pg_catalog as library;

use super::super::statement::external;
use super::objects::{self, Objects};
use super::settings::{POSTGRES_VERSION, setting};
use crate::error::Error;

/// Whose answer is yes: everything is found without the name of its schema.
const VISIBLE: [&str; 13] = [
    "pg_collation_is_visible",
    "pg_conversion_is_visible",
    "pg_function_is_visible",
    "pg_opclass_is_visible",
    "pg_operator_is_visible",
    "pg_opfamily_is_visible",
    "pg_statistics_obj_is_visible",
    "pg_table_is_visible",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible",
    "pg_type_is_visible",
];

/// Whether something may be done.
const PRIVILEGES: [&str; 11] = [
    "has_any_column_privilege",
    "has_column_privilege",
    "has_database_privilege",
    "has_foreign_data_wrapper_privilege",
    "has_function_privilege",
    "has_language_privilege",
    "has_schema_privilege",
    "has_sequence_privilege",
    "has_table_privilege",
    "has_tablespace_privilege",
    "pg_has_role",
];

/// What of it is reading.
const READING: [&str; 5] = ["SELECT", "USAGE", "CONNECT", "EXECUTE", "MEMBER"];

/// Whose answer is a text that nothing has here: definitions of what is not there, and comments on it.
const NO_TEXT: [&str; 15] = [
    "inet_client_addr",
    "inet_server_addr",
    "pg_get_constraintdef",
    "pg_get_expr",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_partkeydef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_statisticsobjdef_columns",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_tablespace_location",
    "shobj_description",
];

/// Whose answer is no.
const NO: [&str; 3] = ["pg_is_in_recovery", "pg_is_other_temp_schema", "pg_relation_is_publishable"];

/// Sizes that are not known.
const NO_NUMBER: [&str; 4] =
    ["pg_database_size", "pg_indexes_size", "pg_stat_get_numscans", "pg_tablespace_size"];

/// Sizes of tables.
const SIZES: [&str; 3] = ["pg_relation_size", "pg_table_size", "pg_total_relation_size"];

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Answer {
    /// The same to everything.
    Always(ScalarValue),
    /// Whether the last argument names reading.
    Reading,
    /// A number of bytes for people.
    SizePretty,
    /// The value of a setting.
    Setting,
    /// What one of our functions takes.
    Takes,
    /// What it gives.
    Gives,
    /// What is said of a thing.
    Description(Arc<Objects>),
    /// What is said of a column.
    ColumnDescription(Arc<Objects>),
    /// How large a table is.
    Size(Arc<Objects>),
}

/// A function of arguments of any types.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Told {
    name: &'static str,
    signature: Signature,
    answer: Answer,
}

fn told(name: &'static str, answer: Answer) -> ScalarUDF {
    let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
    ScalarUDF::from(Told { name, signature: Signature::one_of(any, Volatility::Stable), answer })
}

fn text(text: &str) -> Answer {
    Answer::Always(ScalarValue::Utf8(Some(text.to_owned())))
}

/// Those that are the same for everybody.
pub(super) static SHARED: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
    let all = |names: &[&'static str], answer: Answer| -> Vec<ScalarUDF> {
        names.iter().map(|name| told(name, answer.clone())).collect()
    };
    let boolean = |answer| Answer::Always(ScalarValue::Boolean(Some(answer)));
    let mut functions = vec![
        library::create_current_schema_udf(),
        library::create_current_schemas_udf(),
        library::create_pg_backend_pid_udf(),
        library::create_pg_encoding_to_char_udf(),
        library::create_pg_get_partition_ancestors_udf(),
        library::format_type::create_format_type_udf(),
        library::quote_ident_udf::create_quote_ident_udf(),
        library::quote_ident_udf::create_parse_ident_udf(),
        library::array_bounds_udf::create_array_upper_udf(),
        library::array_bounds_udf::create_array_lower_udf(),
        told("version", text(&format!("PostgreSQL {POSTGRES_VERSION}"))),
        told("pg_get_userbyid", text("timberline")),
        told("pg_my_temp_schema", Answer::Always(ScalarValue::Int32(Some(0)))),
        told("getdatabaseencoding", text("UTF8")),
        told("pg_char_to_encoding", Answer::Always(ScalarValue::Int32(Some(6)))),
        told("pg_size_pretty", Answer::SizePretty),
        told("current_setting", Answer::Setting),
        told("pg_get_function_arguments", Answer::Takes),
        told("pg_get_function_identity_arguments", Answer::Takes),
        told("pg_get_function_result", Answer::Gives),
    ];
    functions.extend(all(&VISIBLE, boolean(true)));
    functions.extend(all(&NO, boolean(false)));
    functions.extend(all(&PRIVILEGES, Answer::Reading));
    functions.extend(all(&NO_TEXT, Answer::Always(ScalarValue::Utf8(None))));
    functions.extend(all(&NO_NUMBER, Answer::Always(ScalarValue::Int64(None))));
    functions.extend(about(&Arc::default()));
    functions.into_iter().map(Arc::new).collect()
});

/// Those that know who asks in which database.
pub(super) fn of_caller(database: &str, caller: &str) -> [ScalarUDF; 3] {
    [told("current_database", text(database)), told("session_user", text(caller)), told("user", text(caller))]
}

/// Those that tell of numbered things.
pub(super) fn about(objects: &Arc<Objects>) -> Vec<ScalarUDF> {
    let mut functions = vec![
        told("obj_description", Answer::Description(Arc::clone(objects))),
        told("col_description", Answer::ColumnDescription(Arc::clone(objects))),
    ];
    functions.extend(SIZES.map(|name| told(name, Answer::Size(Arc::clone(objects)))));
    functions
}

impl ScalarUDFImpl for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match &self.answer {
            Answer::Always(value) => value.data_type(),
            Answer::Reading => DataType::Boolean,
            Answer::Size(_) => DataType::Int64,
            _ => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Answer::Always(value) = &self.answer {
            return Ok(ColumnarValue::Scalar(value.clone()));
        }
        let arguments = ColumnarValue::values_to_arrays(&args.args)?;
        let (Some(first), Some(last)) = (arguments.first(), arguments.last()) else {
            return exec_err!("{} needs an argument", self.name);
        };
        let answer: ArrayRef = match &self.answer {
            Answer::Reading => {
                Arc::new(texts(last)?.iter().map(|text| text.map(reads)).collect::<BooleanArray>())
            }
            Answer::Size(objects) => {
                Arc::new(oids(first)?.map(|oid| objects.size(oid?)).collect::<Int64Array>())
            }
            Answer::SizePretty => {
                let bytes = cast(first, &DataType::Int64)?;
                let bytes = bytes.as_primitive::<Int64Type>().iter();
                Arc::new(bytes.map(|bytes| bytes.map(size_pretty)).collect::<StringArray>())
            }
            Answer::Setting => {
                let may_be_missing = arguments.len() > 1;
                let names = texts(first)?;
                let values = names.iter().map(|name| value_of(name, may_be_missing));
                Arc::new(values.collect::<Result<StringArray>>()?)
            }
            Answer::ColumnDescription(objects) => {
                let of_column =
                    |(oid, column): (Option<i32>, Option<i32>)| objects.description(oid?, column?);
                Arc::new(oids(first)?.zip(oids(last)?).map(of_column).collect::<StringArray>())
            }
            answer => Arc::new(oids(first)?.map(|oid| said(answer, oid?)).collect::<StringArray>()),
        };
        Ok(ColumnarValue::Array(answer))
    }
}

/// What is said of a thing by its number.
fn said(answer: &Answer, oid: i32) -> Option<&str> {
    match answer {
        Answer::Description(objects) => objects.description(oid, 0),
        Answer::Takes => objects::function(oid).map(|(takes, _)| takes),
        Answer::Gives => objects::function(oid).map(|(_, gives)| gives),
        _ => None,
    }
}

fn value_of(name: Option<&str>, may_be_missing: bool) -> Result<Option<&'static str>> {
    let Some(name) = name else { return Ok(None) };
    match setting(name) {
        None if !may_be_missing => {
            let message = format!("unrecognized configuration parameter {name:?}");
            Err(external(Error::invalid_request(message)))
        }
        value => Ok(value),
    }
}

fn texts(array: &ArrayRef) -> Result<StringArray> {
    Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// Numbers of things; none for what is no number.
fn oids(array: &ArrayRef) -> Result<impl Iterator<Item = Option<i32>> + use<>> {
    let numbers = cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone();
    let oid = move |row: usize| numbers.is_valid(row).then(|| i32::try_from(numbers.value(row)).ok())?;
    Ok((0..array.len()).map(oid))
}

fn reads(privileges: &str) -> bool {
    privileges.split(',').any(|one| READING.iter().any(|known| known.eq_ignore_ascii_case(one.trim())))
}

/// Bytes as PostgreSQL writes them: whole numbers of the largest unit of which there are ten.
fn size_pretty(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes.unsigned_abs() < 10 * 1024 {
        return format!("{bytes} bytes");
    }
    // Halves, so that they can be rounded.
    let mut halves = bytes / 512;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"");
    while halves.unsigned_abs() >= 20 * 1024 - 1 {
        let Some(next) = units.next() else { break };
        (halves, unit) = (halves / 1024, next);
    }
    format!("{} {unit}", (halves + halves.signum()) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_postgresql_does() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (1_000_000, "977 kB"),
            (-1_000_000, "-977 kB"),
            (10_485_247, "10239 kB"),
            (10_485_760, "10 MB"),
            (1_000_000_000_000, "931 GB"),
            (i64::MAX, "8192 PB"),
        ] {
            assert_eq!(size_pretty(bytes), expected);
        }
    }

    #[test]
    fn only_reading_is_allowed() {
        for (privileges, expected) in [
            ("SELECT", true),
            ("insert", false),
            ("insert, select", true),
            ("SELECT WITH GRANT OPTION", false),
        ] {
            assert_eq!(reads(privileges), expected, "{privileges}");
        }
    }
}
