//! One log record while a scenario writes it.

use chrono::{DateTime, Timelike};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::fleet::Instance;
use crate::keys;
use crate::random::Random;
use crate::requests::Request;

/// Enough for the attributes of nearly every record.
const ATTRIBUTES_CAPACITY: usize = 8;

/// How the moment bends what a service does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) error_per_mille: u32,
    pub(crate) latency_factor: u32,
}

/// The record under construction, with what a scenario may draw from.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) request: Request,
    pub(crate) instance: &'a Instance,
    pub(crate) conditions: Conditions,
    pub(crate) time_us: i64,
    pub(crate) severity: SeverityNumber,
    pub(crate) event_name: &'static str,
    /// Whether the record carries the request's trace id.
    pub(crate) is_traced: bool,
    pub(crate) body: AnyValue,
    pub(crate) attributes: Vec<KeyValue>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(
        random: &'a mut Random,
        request: Request,
        instance: &'a Instance,
        conditions: Conditions,
        time_us: i64,
    ) -> Self {
        Self {
            random,
            request,
            instance,
            conditions,
            time_us,
            severity: SeverityNumber::Info,
            event_name: "",
            is_traced: false,
            body: AnyValue::default(),
            attributes: Vec::with_capacity(ATTRIBUTES_CAPACITY),
        }
    }

    /// Whether this operation fails.
    pub(crate) fn fails(&mut self) -> bool {
        let per_mille = self.conditions.error_per_mille;
        self.random.chance(per_mille)
    }

    /// How long an operation took that typically takes `typical_us`.
    pub(crate) fn takes_us(&mut self, typical_us: u32) -> u64 {
        self.random.latency_us(typical_us * self.conditions.latency_factor)
    }

    pub(crate) fn say(&mut self, text: String) {
        self.body = any(Value::StringValue(text));
    }

    /// A body that is not text.
    pub(crate) fn say_structured(&mut self, values: Vec<KeyValue>) {
        self.body = any(Value::KvlistValue(KeyValueList { values }));
    }

    pub(crate) fn text(&mut self, key: &str, value: impl Into<String>) {
        self.attributes.push(key_value(key, Value::StringValue(value.into())));
    }

    pub(crate) fn int(&mut self, key: &str, value: impl Into<i64>) {
        self.attributes.push(key_value(key, Value::IntValue(value.into())));
    }

    pub(crate) fn double(&mut self, key: &str, value: f64) {
        self.attributes.push(key_value(key, Value::DoubleValue(value)));
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.attributes.push(key_value(key, Value::BoolValue(value)));
    }

    pub(crate) fn list(&mut self, key: &str, values: &[&str]) {
        self.attributes.push(key_value(key, Value::ArrayValue(text_array(values))));
    }

    pub(crate) fn duration(&mut self, duration_us: u64) {
        self.double(keys::DURATION_MS, duration_us as f64 / 1_000.0);
    }

    /// Adds a request id that no other record has, and returns it.
    pub(crate) fn request_id(&mut self) -> String {
        let id = hex(&self.random.id::<16>());
        self.text(keys::REQUEST_ID, id.clone());
        id
    }

    /// Time of day as many programs print it: `06:38:01.250`.
    pub(crate) fn time_of_day(&self) -> String {
        let time = DateTime::from_timestamp_micros(self.time_us).unwrap_or_default();
        let millis = time.nanosecond() / 1_000_000;
        format!("{:02}:{:02}:{:02}.{millis:03}", time.hour(), time.minute(), time.second())
    }
}

/// Sets the body to formatted text, whose arguments may draw from the line itself.
macro_rules! say {
    ($line:expr, $($text:tt)*) => {{
        let text = format!($($text)*);
        $line.say(text);
    }};
}
pub(crate) use say;

/// One attribute.
pub(crate) fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// An array of strings.
pub(crate) fn text_array(values: &[&str]) -> ArrayValue {
    let values = values.iter().map(|value| any(Value::StringValue((*value).to_owned()))).collect();
    ArrayValue { values }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
