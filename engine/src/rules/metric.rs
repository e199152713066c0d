//! Metric rules: what is counted and summed of records as they come in.
//!
//! What was measured is in memory, from when the process started. Records count when they have been taken in, so that
//! a request that is refused and sent again counts once.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayAccessor, AsArray, MapArray, RecordBatch, StringArray, TypedDictionaryArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int32Type;
use parking_lot::Mutex;

use super::condition::Condition;
use crate::error::{Error, Result};
use crate::ingest::DecodedLogs;
use crate::query::model::LogFilter;
use crate::schema::columns;

/// Most series of a rule. What belongs to further ones is counted as overflow.
pub const MAX_SERIES: usize = 1_000;

/// A longer value of a group is cut, so that series take bounded memory; bytes.
const MAX_GROUP_VALUE_BYTES: usize = 256;

/// A metric rule.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRule {
    /// Tells rules apart.
    pub id: String,
    /// Which records are measured; `None` is all.
    pub filter: Option<LogFilter>,
    /// The attribute that is summed; records whose value is no finite number are not measured then. `None` counts.
    pub value: Option<MetricField>,
    /// What tells series apart.
    pub group_by: Vec<MetricField>,
}

/// What of a record is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricField {
    /// The service.
    ServiceName,
    /// The severity.
    SeverityText,
    /// The event's name.
    EventName,
    /// An attribute of the record, by its key.
    Attribute(String),
    /// An attribute of its resource, by its key.
    ResourceAttribute(String),
}

/// The metric rules of a project, ready to measure.
#[derive(Debug, Default)]
pub struct MetricRules(Vec<CompiledMetric>);

#[derive(Debug)]
struct CompiledMetric {
    rule: MetricRule,
    condition: Option<Condition>,
    /// Shared with the same rule that was compiled before.
    measured: Arc<Mutex<Measured>>,
}

/// What was measured by one rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// By the values of the groups, in their order; a record that lacks one has an empty value.
    pub series: BTreeMap<Vec<String>, Measurement>,
    /// Records of series beyond [`MAX_SERIES`].
    pub overflow: Measurement,
}

/// Some records.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measurement {
    /// How many.
    pub count: u64,
    /// The sum of their values; 0 for a rule that counts.
    pub sum: f64,
}

/// What the records of one request measure, to be counted once they are durable.
#[derive(Debug, Default)]
#[must_use = "records count when this is counted"]
pub struct PendingMeasurements(Vec<(Arc<Mutex<Measured>>, Measured)>);

impl PendingMeasurements {
    /// The records are durable.
    pub fn count(self) {
        for (measured, pending) in self.0 {
            measured.lock().merge(pending);
        }
    }
}

impl Measured {
    fn add(&mut self, group: Vec<String>, measurement: Measurement) {
        let has_place = self.series.len() < MAX_SERIES || self.series.contains_key(&group);
        let place = if has_place { self.series.entry(group).or_default() } else { &mut self.overflow };
        place.count += measurement.count;
        place.sum += measurement.sum;
    }

    fn merge(&mut self, other: Self) {
        for (group, measurement) in other.series {
            self.add(group, measurement);
        }
        self.overflow.count += other.overflow.count;
        self.overflow.sum += other.overflow.sum;
    }
}

impl MetricRules {
    /// Compiles rules. Those of `before` that look at the same fields go on with what they have measured.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` naming the condition that means nothing or too much.
    pub fn compile(rules: Vec<MetricRule>, before: Option<&Self>) -> Result<Self> {
        let compile = |rule: MetricRule| {
            let condition = rule.filter.as_ref().map(Condition::new).transpose()?;
            let same = |old: &&CompiledMetric| {
                (&old.rule.id, &old.rule.value, &old.rule.group_by) == (&rule.id, &rule.value, &rule.group_by)
            };
            let old = before.and_then(|before| before.0.iter().find(same));
            let measured = old.map(|old| Arc::clone(&old.measured)).unwrap_or_default();
            Ok(CompiledMetric { rule, condition, measured })
        };
        rules.into_iter().map(compile).collect::<Result<_>>().map(Self)
    }

    /// Measures records; they count when the answer is counted.
    ///
    /// # Errors
    /// `Internal` when the rows are not decoded rows.
    pub fn measure(&self, logs: &DecodedLogs) -> Result<PendingMeasurements> {
        if logs.num_rows() == 0 {
            return Ok(PendingMeasurements::default());
        }
        let measure = |rule: &CompiledMetric| Ok((Arc::clone(&rule.measured), rule.measure(&logs.batch)?));
        self.0.iter().map(measure).collect::<Result<_>>().map(PendingMeasurements)
    }

    /// What a rule has measured; `None` when there is no such rule.
    pub fn measured(&self, id: &str) -> Option<Measured> {
        let rule = self.0.iter().find(|rule| rule.rule.id == id)?;
        Some(rule.measured.lock().clone())
    }
}

impl CompiledMetric {
    fn measure(&self, rows: &RecordBatch) -> Result<Measured> {
        let found = match &self.condition {
            Some(condition) => condition.test(rows)?,
            None => BooleanBuffer::new_set(rows.num_rows()),
        };
        let groups: Vec<FieldColumn<'_>> =
            self.rule.group_by.iter().map(|field| FieldColumn::of(rows, field)).collect::<Result<_>>()?;
        let value = self.rule.value.as_ref().map(|field| FieldColumn::of(rows, field)).transpose()?;
        let mut measured = Measured::default();
        for row in found.set_indices() {
            let sum = match &value {
                None => 0.0,
                Some(value) => match value.get(row).and_then(number) {
                    Some(number) => number,
                    None => continue,
                },
            };
            let group = groups.iter().map(|column| cut(column.get(row).unwrap_or_default())).collect();
            measured.add(group, Measurement { count: 1, sum });
        }
        Ok(measured)
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_GROUP_VALUE_BYTES {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_GROUP_VALUE_BYTES)])
}

/// Where a field stands in a batch.
enum FieldColumn<'b> {
    Text(TypedDictionaryArray<'b, Int32Type, StringArray>),
    Key { map: &'b MapArray, keys: &'b StringArray, values: &'b StringArray, key: &'b str },
}

impl<'b> FieldColumn<'b> {
    fn of(rows: &'b RecordBatch, field: &'b MetricField) -> Result<Self> {
        let (name, key) = match field {
            MetricField::ServiceName => (columns::SERVICE_NAME, None),
            MetricField::SeverityText => (columns::SEVERITY_TEXT, None),
            MetricField::EventName => (columns::EVENT_NAME, None),
            MetricField::Attribute(key) => (columns::ATTRIBUTES, Some(key.as_str())),
            MetricField::ResourceAttribute(key) => (columns::RESOURCE_ATTRIBUTES, Some(key.as_str())),
        };
        let column = || {
            let column = rows.column_by_name(name)?;
            match key {
                None => column.as_dictionary_opt::<Int32Type>()?.downcast_dict().map(Self::Text),
                Some(key) => {
                    let map = column.as_map_opt()?;
                    let (keys, values) = (map.keys().as_string_opt()?, map.values().as_string_opt()?);
                    Some(Self::Key { map, keys, values, key })
                }
            }
        };
        column().ok_or_else(|| Error::internal(format!("decoded rows lack the column {name}")))
    }

    fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Text(column) => Some(column.value(row)),
            Self::Key { map, keys, values, key } => {
                let offsets = map.value_offsets();
                let entry = (offsets[row] as usize..offsets[row + 1] as usize)
                    .find(|entry| keys.value(*entry) == *key)?;
                Some(values.value(entry))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{RecordLimits, decode_datadog_json};

    fn decode(json: &str) -> DecodedLogs {
        decode_datadog_json(json.as_bytes(), &[], 1_000, &RecordLimits::default()).unwrap()
    }

    fn rule(value: Option<&str>, group_by: Vec<MetricField>) -> MetricRule {
        let value = value.map(|key| MetricField::Attribute(key.into()));
        MetricRule { id: "m".into(), filter: None, value, group_by }
    }

    fn written(measured: &Measured) -> Vec<(String, u64, f64)> {
        measured.series.iter().map(|(group, m)| (group.join("|"), m.count, m.sum)).collect()
    }

    #[test]
    fn records_are_counted_and_summed_by_group() {
        let by = vec![MetricField::ServiceName, MetricField::ResourceAttribute("env".into())];
        let rules = MetricRules::compile(vec![rule(Some("ms"), by)], None).unwrap();
        let logs = decode(
            r#"[{"service":"a","ddtags":"env:p","ms":1.5},{"service":"a","ddtags":"env:p","ms":"2"},{"service":"b","ms":-1},
                {"service":"b","ms":"slow"},{"service":"b"},{"service":"b","ms":"NaN"}]"#,
        );
        let pending = rules.measure(&logs).unwrap();
        assert_eq!(rules.measured("m").unwrap(), Measured::default(), "not before they are durable");
        pending.count();
        let measured = rules.measured("m").unwrap();
        assert_eq!(written(&measured), [("a|p".to_owned(), 2, 3.5), ("b|".to_owned(), 1, -1.0)]);
        assert_eq!(rules.measured("x"), None);
    }

    #[test]
    fn series_are_bounded_and_the_rest_is_counted() {
        let rules =
            MetricRules::compile(vec![rule(None, vec![MetricField::Attribute("k".into())])], None).unwrap();
        let records: Vec<_> = (0..MAX_SERIES + 5).map(|k| format!(r#"{{"k":"{k}"}}"#)).collect();
        let logs = decode(&format!("[{}]", records.join(",")));
        for _ in 0..2 {
            rules.measure(&logs).unwrap().count();
        }
        let measured = rules.measured("m").unwrap();
        assert_eq!((measured.series.len(), measured.overflow.count), (MAX_SERIES, 10));
        let total: u64 = measured.series.values().map(|m| m.count).sum();
        assert_eq!(total + measured.overflow.count, 2 * (MAX_SERIES as u64 + 5));
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(cut(&"ü".repeat(200)).chars().count(), 129);
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn a_rule_that_looks_at_the_same_goes_on() {
        let count = |group_by| MetricRules::compile(vec![rule(None, group_by)], None).unwrap();
        let before = count(vec![]);
        before.measure(&decode(r#"{"a":1}"#)).unwrap().count();
        let same = MetricRules::compile(vec![rule(None, vec![])], Some(&before)).unwrap();
        assert_eq!(same.measured("m").unwrap().series.len(), 1);
        let other =
            MetricRules::compile(vec![rule(None, vec![MetricField::EventName])], Some(&before)).unwrap();
        assert_eq!(other.measured("m").unwrap(), Measured::default());
    }
}
