//! As much of LogsQL as the runner speaks, row at a time.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use regex::Regex;

use super::stand_in::Row;

/// The rows of an answer.
pub(super) fn evaluate(query: &str, rows: &[Row]) -> Result<Vec<Row>, String> {
    let mut reader = Reader { rest: query };
    let parsed = parse(&mut reader);
    let (filters, pipes) =
        parsed.map_err(|wanted| format!("{wanted} is missing before {:?}", reader.rest))?;
    let mut rows: Vec<Row> = rows.iter().filter(|row| matches(&filters, row)).cloned().collect();
    for pipe in pipes {
        rows = pipe.apply(rows);
    }
    Ok(rows)
}

enum Filter {
    Everything,
    Time { from: DateTime<Utc>, to: DateTime<Utc> },
    In(String, Vec<String>),
    Any(String),
    Pattern(String, Regex),
}

enum Pipe {
    Stats { by: Vec<By>, counts: Vec<(Vec<Filter>, String)> },
    SortByTime { is_descending: bool, limit: usize },
    Top { limit: usize, by: String },
}

struct By {
    field: String,
    /// For times.
    width_secs: Option<i64>,
}

/// What is missing.
type Missing = &'static str;

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn must(&mut self, text: Missing) -> Result<(), Missing> {
        if self.takes(text) { Ok(()) } else { Err(text) }
    }

    fn word(&mut self, more: &str) -> Result<String, Missing> {
        let rest = self.rest.trim_start();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
        let (word, rest) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        self.rest = rest;
        if word.is_empty() { Err("a word") } else { Ok(word.to_owned()) }
    }

    fn quoted(&mut self) -> Result<String, Missing> {
        let mut texts = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        let text = texts.next().and_then(Result::ok).ok_or("a text in quotes")?;
        self.rest = &self.rest[texts.byte_offset()..];
        Ok(text)
    }

    fn name(&mut self) -> Result<String, Missing> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') { self.quoted() } else { self.word("") }
    }

    fn number(&mut self) -> Result<i64, Missing> {
        let digits = self.word("")?;
        digits.trim_end_matches('s').parse().map_err(|_| "a number")
    }

    fn time(&mut self) -> Result<DateTime<Utc>, Missing> {
        let time = self.word("-:.")?;
        Ok(DateTime::parse_from_rfc3339(&time).map_err(|_| "a time")?.to_utc())
    }
}

fn parse(reader: &mut Reader<'_>) -> Result<(Vec<Filter>, Vec<Pipe>), Missing> {
    let filters = filters(reader)?;
    let mut pipes = Vec::new();
    while reader.takes("|") {
        pipes.push(pipe(reader)?);
    }
    if reader.rest.is_empty() { Ok((filters, pipes)) } else { Err("the end") }
}

fn filters(reader: &mut Reader<'_>) -> Result<Vec<Filter>, Missing> {
    let mut filters = Vec::new();
    while !reader.rest.trim_start().is_empty() && !reader.rest.trim_start().starts_with(['|', ')']) {
        filters.push(filter(reader)?);
    }
    if filters.is_empty() { Err("a filter") } else { Ok(filters) }
}

fn filter(reader: &mut Reader<'_>) -> Result<Filter, Missing> {
    if reader.takes("*") {
        return Ok(Filter::Everything);
    }
    if reader.takes("_time:[") {
        let from = reader.time()?;
        reader.must(",")?;
        let to = reader.time()?;
        reader.must(")")?;
        return Ok(Filter::Time { from, to });
    }
    if reader.takes("{") {
        let name = reader.name()?;
        assert_eq!(name, "service_name", "the only field of streams");
        reader.must("=")?;
        let value = reader.quoted()?;
        reader.must("}")?;
        return Ok(Filter::In(name, vec![value]));
    }
    let name = reader.name()?;
    reader.must(":")?;
    if reader.takes("*") {
        return Ok(Filter::Any(name));
    }
    if reader.takes("=") {
        return Ok(Filter::In(name, vec![reader.quoted()?]));
    }
    if reader.takes("~") {
        let pattern = Regex::new(&reader.quoted()?).map_err(|_| "a pattern")?;
        return Ok(Filter::Pattern(name, pattern));
    }
    reader.must("in(")?;
    let mut values = vec![reader.name()?];
    while reader.takes(",") {
        values.push(reader.name()?);
    }
    reader.must(")")?;
    Ok(Filter::In(name, values))
}

fn pipe(reader: &mut Reader<'_>) -> Result<Pipe, Missing> {
    if reader.takes("sort by (_time") {
        let is_descending = reader.takes("desc");
        reader.must(")")?;
        let limit = if reader.takes("limit") { reader.number()? as usize } else { usize::MAX };
        return Ok(Pipe::SortByTime { is_descending, limit });
    }
    if reader.takes("top ") {
        let limit = reader.number()? as usize;
        reader.must("by (")?;
        let by = reader.name()?;
        reader.must(")")?;
        return Ok(Pipe::Top { limit, by });
    }
    reader.must("stats ")?;
    let mut by = Vec::new();
    if reader.takes("by (") {
        while !reader.takes(")") {
            reader.takes(",");
            let field = reader.name()?;
            let width_secs = if reader.takes(":") { Some(reader.number()?) } else { None };
            by.push(By { field, width_secs });
        }
    }
    let mut counts = vec![count(reader)?];
    while reader.takes(",") {
        counts.push(count(reader)?);
    }
    Ok(Pipe::Stats { by, counts })
}

fn count(reader: &mut Reader<'_>) -> Result<(Vec<Filter>, String), Missing> {
    reader.must("count()")?;
    let mut only = vec![Filter::Everything];
    if reader.takes("if (") {
        only = filters(reader)?;
        reader.must(")")?;
    }
    Ok((only, reader.name()?))
}

fn value<'a>(row: &'a Row, field: &str) -> &'a str {
    row.get(field).map_or("", String::as_str)
}

fn time(row: &Row) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(value(row, "_time")).unwrap().to_utc()
}

fn matches(filters: &[Filter], row: &Row) -> bool {
    filters.iter().all(|filter| match filter {
        Filter::Everything => true,
        Filter::Time { from, to } => (*from..*to).contains(&time(row)),
        Filter::In(field, values) => values.iter().any(|wanted| wanted == value(row, field)),
        Filter::Any(field) => !value(row, field).is_empty(),
        Filter::Pattern(field, pattern) => pattern.is_match(value(row, field)),
    })
}

impl Pipe {
    fn apply(&self, mut rows: Vec<Row>) -> Vec<Row> {
        match self {
            Self::Stats { by, counts } => stats(by, counts, &rows),
            Self::SortByTime { is_descending, limit } => {
                rows.sort_by_cached_key(time);
                if *is_descending {
                    rows.reverse();
                }
                rows.truncate(*limit);
                rows
            }
            Self::Top { limit, by } => {
                let mut hits: BTreeMap<&str, u64> = BTreeMap::new();
                rows.iter().for_each(|row| *hits.entry(value(row, by)).or_default() += 1);
                let mut hits: Vec<(&str, u64)> = hits.into_iter().collect();
                // Values of one number come the other way round than from Timberline.
                hits.sort_by_key(|(value, hits)| Reverse((*hits, *value)));
                hits.truncate(*limit);
                let row = |(value, hits): (&str, u64)| {
                    full([(by.clone(), value.to_owned()), ("hits".to_owned(), hits.to_string())])
                };
                hits.into_iter().map(row).collect()
            }
        }
    }
}

fn stats(by: &[By], counts: &[(Vec<Filter>, String)], rows: &[Row]) -> Vec<Row> {
    let mut groups: BTreeMap<Vec<String>, Vec<u64>> = BTreeMap::new();
    if by.is_empty() {
        groups.insert(Vec::new(), vec![0; counts.len()]);
    }
    for row in rows {
        let group = by.iter().map(|by| match by.width_secs {
            Some(width) => {
                let start = time(row).timestamp().div_euclid(width) * width;
                DateTime::from_timestamp(start, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
            }
            None => value(row, &by.field).to_owned(),
        });
        let numbers = groups.entry(group.collect()).or_insert_with(|| vec![0; counts.len()]);
        for (number, (only, _)) in numbers.iter_mut().zip(counts) {
            *number += u64::from(matches(only, row));
        }
    }
    // No order is promised.
    let rows = groups.into_iter().rev().map(|(group, numbers)| {
        let fields = by.iter().map(|by| by.field.clone()).zip(group);
        let names = counts.iter().map(|(_, name)| name.clone());
        full(fields.chain(names.zip(numbers.iter().map(u64::to_string))))
    });
    rows.collect()
}

/// A row without what is empty.
fn full(fields: impl IntoIterator<Item = (String, String)>) -> Row {
    fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
