//! A statement as a driver keeps it.

use engine::sql::{SqlQuery, SqlValue};
use prost::Message;
use tonic::Status;

/// A statement with the values of its parameters. It is no secret and gives no right: who brings it shows a key.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Handle {
    /// The statement.
    #[prost(string, tag = "1")]
    pub(super) text: String,
    /// In the order of their places.
    #[prost(message, repeated, tag = "2")]
    parameters: Vec<Parameter>,
}

/// A value; null without one.
#[derive(Clone, PartialEq, Message)]
struct Parameter {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(bool, tag = "1")]
    Boolean(bool),
    #[prost(sint64, tag = "2")]
    Integer(i64),
    #[prost(double, tag = "3")]
    Number(f64),
    #[prost(string, tag = "4")]
    Text(String),
    #[prost(sint64, tag = "5")]
    TimestampUs(i64),
}

impl Handle {
    pub(super) fn of(text: String) -> Self {
        Self { text, parameters: Vec::new() }
    }

    /// The same with values.
    pub(super) fn with(self, values: Vec<SqlValue>) -> Self {
        let value = |value| match value {
            SqlValue::Null => None,
            SqlValue::Boolean(value) => Some(Value::Boolean(value)),
            SqlValue::Integer(value) => Some(Value::Integer(value)),
            SqlValue::Number(value) => Some(Value::Number(value)),
            SqlValue::Text(value) => Some(Value::Text(value)),
            SqlValue::Timestamp(us) => Some(Value::TimestampUs(us)),
        };
        let parameters = values.into_iter().map(|given| Parameter { value: value(given) });
        Self { parameters: parameters.collect(), ..self }
    }

    /// # Errors
    /// `invalid_argument` for what is no handle.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Status> {
        Self::decode(bytes).map_err(|_| Status::invalid_argument("there is no such statement"))
    }

    /// What it asks.
    pub(super) fn into_query(self) -> SqlQuery {
        let value = |parameter: Parameter| match parameter.value {
            None => SqlValue::Null,
            Some(Value::Boolean(value)) => SqlValue::Boolean(value),
            Some(Value::Integer(value)) => SqlValue::Integer(value),
            Some(Value::Number(value)) => SqlValue::Number(value),
            Some(Value::Text(value)) => SqlValue::Text(value),
            Some(Value::TimestampUs(us)) => SqlValue::Timestamp(us),
        };
        let parameters = self.parameters.into_iter().map(value).collect();
        SqlQuery { parameters, ..SqlQuery::of(self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_survives_being_kept_by_a_driver() {
        let values = vec![
            SqlValue::Null,
            SqlValue::Boolean(false),
            SqlValue::Integer(i64::MIN),
            SqlValue::Number(-0.5),
            SqlValue::Text(String::new()),
            SqlValue::Timestamp(-1),
        ];
        let handle = Handle::of("SELECT $1".to_owned()).with(values.clone());
        let query = Handle::read(&handle.encode_to_vec()).unwrap().into_query();
        assert_eq!((query.text.as_str(), query.parameters), ("SELECT $1", values));
        assert!(Handle::read(b"\xff\xff").is_err());
    }
}
