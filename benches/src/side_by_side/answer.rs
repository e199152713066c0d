//! Answers in one form, so that those of different engines can be compared.

use anyhow::{Context, Result, bail};
use chrono::DateTime;
use serde_json::Value;

/// Rows of text, in an order that the question fixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer(pub(super) Vec<Vec<String>>);

/// What a reply of Timberline looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One number.
    Count,
    /// Time, series, number; without those of no rows.
    Sparkline,
    /// The times of rows.
    Rows,
    /// Names, by name.
    Names,
    /// Values with numbers, the most frequent first.
    Values,
    /// Services with numbers of rows and errors, by name.
    Services,
    /// Times with numbers.
    Ranges,
    /// Values with numbers, the most frequent first.
    Groups,
    /// The rows of an answer in SQL, in their order.
    Table,
    /// The same in any order, and the last column is a number that was calculated with.
    Numbers,
}

impl Answer {
    /// Of a list of lists of texts. Only the columns that a comparison needs are kept.
    pub(super) fn of_rows(rows: &Value) -> Result<Self> {
        let rows = rows.as_array().context("an answer without rows")?;
        rows.iter()
            .map(|row| Ok(row.as_array().context("a row that is none")?.iter().map(text).collect()))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The first columns only, in the order that answers of this form are compared in.
    pub(super) fn compared(mut self, form: Form) -> Self {
        if form == Form::Rows {
            self.0.iter_mut().for_each(|row| row.truncate(1));
        }
        if form == Form::Names {
            self.0.iter_mut().for_each(|row| row.truncate(1));
        }
        if matches!(form, Form::Names | Form::Services | Form::Sparkline | Form::Numbers) {
            self.0.sort();
        }
        self
    }

    /// Values with numbers, for engines that put those of one number in an order of their own: in the order of the
    /// values. Of a list that was cut, the values of its lowest number are blank, since others may be as right.
    pub(super) fn with_any_ties(mut self, max_values: usize) -> Self {
        let number = |row: &[String]| row.last().and_then(|number| number.parse::<u64>().ok());
        let lowest = self.0.iter().map(|row| number(row)).min().flatten();
        if self.0.len() >= max_values {
            let cut = self.0.iter_mut().filter(|row| number(row) == lowest);
            cut.filter_map(|row| row.first_mut()).for_each(String::clear);
        }
        self.0.sort();
        self
    }

    /// Of a reply of Timberline.
    pub(super) fn of_reply(reply: &Value, form: Form) -> Result<Self> {
        let list = |value: &Value| value.as_array().cloned().context("a reply without its list");
        let rows = match form {
            Form::Count => vec![vec![text(&reply["count"])]],
            Form::Sparkline => list(reply)?
                .iter()
                .filter(|entry| entry["count"] != 0)
                .map(|entry| {
                    Ok(vec![micros(&entry["time"])?, text(&entry["severity"]), text(&entry["count"])])
                })
                .collect::<Result<_>>()?,
            Form::Rows => list(&reply["results"])?
                .iter()
                .map(|row| Ok(vec![micros(&row["timestamp"])?]))
                .collect::<Result<_>>()?,
            Form::Names => list(&reply["results"])?.iter().map(|key| vec![text(&key["name"])]).collect(),
            Form::Values => list(&reply["results"])?
                .iter()
                .map(|value| vec![text(&value["id"]), text(&value["count"])])
                .collect(),
            Form::Services => list(&reply["services"])?
                .iter()
                .map(|service| {
                    vec![
                        text(&service["service_name"]),
                        text(&service["log_count"]),
                        text(&service["error_count"]),
                    ]
                })
                .collect(),
            Form::Ranges => list(&reply["ranges"])?
                .iter()
                .map(|range| Ok(vec![micros(&range["date_from"])?, text(&range["count"])]))
                .collect::<Result<_>>()?,
            Form::Groups => list(&reply["groups"])?
                .iter()
                .map(|group| vec![text(&group["value"]), text(&group["log_count"])])
                .collect(),
            Form::Table | Form::Numbers => Self::of_rows(&reply["rows"])?.0,
        };
        Ok(Self(rows).compared(form))
    }

    /// Whether two answers of one form are the same, but for how engines round what they calculate.
    pub(super) fn agrees(&self, other: &Self, form: Form) -> bool {
        self.0.len() == other.0.len() && self.first_difference(other, form).is_none()
    }

    /// The first row that is another one, or is missing in one of the two.
    pub(super) fn first_difference(&self, other: &Self, form: Form) -> Option<usize> {
        let num_rows = self.0.len().max(other.0.len());
        (0..num_rows).find(|row| match (self.0.get(*row), other.0.get(*row)) {
            (Some(one), Some(other)) if form == Form::Numbers => !are_near(one, other),
            (one, other) => one != other,
        })
    }

    /// A short form for a report.
    pub(super) fn summary(&self) -> String {
        match self.0.as_slice() {
            [row] if row.len() == 1 => row[0].clone(),
            rows => format!("{} rows", rows.len()),
        }
    }
}

/// Whether rows are the same but for their last number, which is nearly. Between two values engines take the share of
/// the way with six digits or more.
fn are_near(one: &[String], other: &[String]) -> bool {
    const PRECISION: f64 = 1e-6;
    let (Some((one, names)), Some((other, other_names))) = (one.split_last(), other.split_last()) else {
        return one == other;
    };
    let numbers = one.parse::<f64>().ok().zip(other.parse::<f64>().ok());
    let is_near = numbers.is_some_and(|(one, other)| (one - other).abs() <= PRECISION * one.abs().max(1.0));
    names == other_names && is_near
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn micros(value: &Value) -> Result<String> {
    let Some(time) = value.as_str() else { bail!("{value} is no time") };
    let time = DateTime::parse_from_rfc3339(time).with_context(|| format!("{time} is no time"))?;
    Ok(time.timestamp_micros().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calculated_numbers_may_be_rounded_and_nothing_else_may_differ() {
        let answer = |name: &str, number: &str| Answer(vec![vec![name.to_owned(), number.to_owned()]]);
        let one = answer("web", "209.9535");
        for (other, is_same) in [
            (answer("web", "209.95350000000002"), true),
            (answer("web", "209.96"), false),
            (answer("shop", "209.9535"), false),
            (answer("web", "nothing"), false),
            (Answer::default(), false),
        ] {
            assert_eq!(one.agrees(&other, Form::Numbers), is_same, "{other:?}");
        }
        assert!(!answer("web", "1").agrees(&answer("web", "1.0"), Form::Values));
    }

    #[test]
    fn values_of_one_number_may_come_in_any_order_and_only_the_last_may_be_others() {
        let answer = |rows: &[(&str, &str)]| {
            Answer(
                rows.iter().map(|(value, number)| vec![(*value).to_owned(), (*number).to_owned()]).collect(),
            )
        };
        let one = answer(&[("a", "10"), ("b", "9"), ("c", "9")]);
        for (other, max_values, is_same) in [
            (answer(&[("a", "10"), ("c", "9"), ("b", "9")]), 4, true),
            (answer(&[("a", "10"), ("c", "9"), ("d", "9")]), 4, false),
            (answer(&[("a", "10"), ("c", "9"), ("d", "9")]), 3, true),
            (answer(&[("d", "10"), ("b", "9"), ("c", "9")]), 3, false),
            (answer(&[("a", "10"), ("b", "9"), ("c", "8")]), 3, false),
        ] {
            let (one, other) = (one.clone().with_any_ties(max_values), other.with_any_ties(max_values));
            assert_eq!(one.agrees(&other, Form::Values), is_same, "{other:?} of {max_values}");
        }
    }
}
