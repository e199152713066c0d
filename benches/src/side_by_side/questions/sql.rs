//! Questions in the SQL of other engines.

use super::{Asked, Kind, NEWEST, TOP, VALUES};
use crate::side_by_side::peer::Dialect;

impl Asked<'_> {
    /// As SQL over the table `logs` of a peer.
    pub(in crate::side_by_side) fn sql(&self, dialect: Dialect) -> String {
        let sql = Sql { dialect };
        let chosen = self.chosen;
        let range =
            format!("timestamp >= {} AND timestamp < {}", sql.time(self.start_us), sql.time(self.end_us));
        let service = format!("service_name = {}", quoted(&chosen.service));
        let errors = "severity_text IN ('error', 'fatal')";
        let few = format!("attributes[{}] = {}", quoted(&chosen.few.0), quoted(&chosen.few.1));
        let count = |condition: &str| format!("SELECT count(*) FROM logs WHERE {range} AND {condition}");
        let sparkline = |condition: &str| {
            format!(
                "SELECT {} AS bucket, severity_text, count(*) FROM logs WHERE {range} AND {condition} GROUP BY 1, 2",
                sql.bucket(self.width_us)
            )
        };
        let rows = |condition: &str| {
            format!(
                "SELECT {} AS t, severity_text, service_name, body, hex(trace_id), hex(span_id), attributes, resource_attributes FROM logs \
                 WHERE {range} AND {condition} ORDER BY timestamp DESC LIMIT {NEWEST}",
                sql.micros()
            )
        };
        let values = |key: &str, condition: &str, limit: usize| {
            let value = format!("attributes[{}]", quoted(key));
            format!(
                "SELECT {value} AS v, count(*) AS n FROM logs WHERE {range} AND {} AND {condition} GROUP BY 1 ORDER BY n DESC, v LIMIT {limit}",
                sql.has_key(key)
            )
        };
        match self.kind {
            Kind::CountAll | Kind::SqlCount => count("true"),
            Kind::CountErrorsOfDay => count(errors),
            Kind::CountAttribute => count(&format!("{service} AND {few}")),
            Kind::SparklineAll => sparkline("true"),
            Kind::SparklineErrors => sparkline(&format!("{service} AND {errors}")),
            Kind::CountText => count(&sql.contains(&chosen.words.0)),
            Kind::CountNoText => count(&sql.contains(&self.nowhere())),
            Kind::CountRegex => {
                count(&format!("{} AND {}", sql.contains(&chosen.words.1), sql.matches(&self.regex())))
            }
            Kind::NewestAll => rows("true"),
            Kind::NewestErrors => rows(&format!("{service} AND {errors}")),
            Kind::NewestText => rows(&sql.contains(&chosen.words.0)),
            Kind::Keys => sql.keys(&range),
            Kind::FewValues => values(&chosen.few.0, "true", VALUES),
            Kind::ManyValues => {
                values(&chosen.many.0, &sql.value_contains(&chosen.many.0, self.part), VALUES)
            }
            Kind::Services => format!(
                "SELECT service_name, count(*), sum(CASE WHEN {errors} THEN 1 ELSE 0 END) FROM logs WHERE {range} GROUP BY 1"
            ),
            Kind::ById => rows(&sql.has_id(&chosen.id.0, self.id)),
            Kind::ByTrace => rows(&format!("trace_id = unhex('{}')", self.trace)),
            Kind::Ranges => format!(
                "SELECT {} AS bucket, count(*) FROM logs WHERE {range} AND {few} GROUP BY 1 ORDER BY 1",
                sql.bucket(self.width_us)
            ),
            Kind::Top | Kind::SqlTop => {
                values(&chosen.many.0, &format!("attributes[{}] <> ''", quoted(&chosen.many.0)), TOP)
            }
            Kind::SqlPercentile => sql.percentile(&chosen.number, &range),
        }
    }
}

/// What engines spell differently.
struct Sql {
    dialect: Dialect,
}

impl Sql {
    fn time(&self, us: i64) -> String {
        match self.dialect {
            Dialect::ClickHouse => format!("fromUnixTimestamp64Micro({us}, 'UTC')"),
            Dialect::DuckDb => format!("make_timestamptz({us})"),
        }
    }

    fn micros(&self) -> &'static str {
        match self.dialect {
            Dialect::ClickHouse => "toUnixTimestamp64Micro(timestamp)",
            Dialect::DuckDb => "epoch_us(timestamp)",
        }
    }

    fn bucket(&self, width_us: i64) -> String {
        let micros = self.micros();
        match self.dialect {
            Dialect::ClickHouse => format!("intDiv({micros}, {width_us}) * {width_us}"),
            Dialect::DuckDb => format!("{micros} // {width_us} * {width_us}"),
        }
    }

    fn contains(&self, text: &str) -> String {
        let pattern = quoted(&format!("%{}%", text.to_ascii_lowercase()));
        match self.dialect {
            Dialect::ClickHouse => format!("lower(body) LIKE {pattern}"),
            Dialect::DuckDb => format!("body ILIKE {pattern}"),
        }
    }

    fn matches(&self, pattern: &str) -> String {
        match self.dialect {
            Dialect::ClickHouse => format!("match(body, {})", quoted(pattern)),
            Dialect::DuckDb => format!("regexp_matches(body, {})", quoted(pattern)),
        }
    }

    fn has_key(&self, key: &str) -> String {
        match self.dialect {
            Dialect::ClickHouse => format!("mapContains(attributes, {})", quoted(key)),
            Dialect::DuckDb => format!("attributes[{}] IS NOT NULL", quoted(key)),
        }
    }

    fn value_contains(&self, key: &str, part: &str) -> String {
        let (key, pattern) = (quoted(key), quoted(&format!("%{part}%")));
        format!("attributes[{key}] ILIKE {pattern}")
    }

    /// ClickHouse needs to be told where its index of values can help.
    fn has_id(&self, key: &str, id: &str) -> String {
        let equal = format!("attributes[{}] = {}", quoted(key), quoted(id));
        match self.dialect {
            Dialect::ClickHouse => format!("has(mapValues(attributes), {}) AND {equal}", quoted(id)),
            Dialect::DuckDb => equal,
        }
    }

    /// By service, of the values that are numbers; between two neighbours as far as the share says.
    fn percentile(&self, key: &str, range: &str) -> String {
        let (number, percentile) = match self.dialect {
            Dialect::ClickHouse => {
                (format!("toFloat64OrNull(attributes[{}])", quoted(key)), "quantileExactInclusive(0.95)(n)")
            }
            Dialect::DuckDb => {
                (format!("try_cast(attributes[{}] AS DOUBLE)", quoted(key)), "quantile_cont(n, 0.95)")
            }
        };
        format!(
            "SELECT service_name, {percentile} FROM (SELECT service_name, {number} AS n FROM logs WHERE {range}) WHERE n IS NOT NULL GROUP BY 1"
        )
    }

    fn keys(&self, range: &str) -> String {
        match self.dialect {
            Dialect::ClickHouse => {
                format!(
                    "SELECT arrayJoin(mapKeys(attributes)) AS k, count() FROM logs WHERE {range} GROUP BY k"
                )
            }
            Dialect::DuckDb => format!(
                "SELECT k, count(*) FROM (SELECT unnest(map_keys(attributes)) AS k FROM logs WHERE {range}) GROUP BY k"
            ),
        }
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
