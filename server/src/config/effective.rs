//! What every setting is in the end, and where that comes from, for people.

use super::load::Given;
use super::sections::settings;
use super::setting::Setting;
use super::{ServerConfig, SettingError, Sources};

/// What stands in place of a secret.
const HIDDEN: &str = "(hidden)";

/// What the name of a key ends with whose value is a secret.
const SECRET_ENDINGS: [&str; 6] = ["key", "secret", "password", "token", "credentials", "headers"];

/// The setting of which others are shares.
const WHOLE_MEMORY: &str = "memory.total_bytes";
/// The setting that decides others at once.
const RATE_PRESET: &str = "rate_limits.preset";

/// One setting as the server would run with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// `section.key`, or the name of a variable of a remote store.
    pub name: String,
    /// Its value as text; secrets are hidden.
    pub value: String,
    /// The configuration file's path, `environment`, `command line`, `default`, or the setting that decides it.
    pub source: String,
}

impl ServerConfig {
    /// Reads the sources over defaults, and lists what comes out, in the order of the table.
    ///
    /// # Errors
    /// As [`ServerConfig::load`].
    pub fn effective(defaults: Self, sources: &Sources) -> Result<Vec<EffectiveSetting>, SettingError> {
        let given = Given::read(sources)?;
        let config = Self::load(defaults, sources)?;
        let mut listed: Vec<_> = settings()
            .map(|setting| {
                let name = setting.name();
                let decided = config.decided(&name).filter(|(by, _)| given.get(by).is_some());
                let (value, source) = match (given.get(&name), decided) {
                    (Some((text, source)), _) => (shown(setting, text), source.to_owned()),
                    (None, Some((by, value))) => (value, by.to_owned()),
                    (None, None) => (setting.default.to_owned(), "default".to_owned()),
                };
                EffectiveSetting { name, value, source }
            })
            .collect();
        listed.extend(config.engine.storage.options.iter().map(|(name, _)| EffectiveSetting {
            name: name.clone(),
            value: HIDDEN.to_owned(),
            source: "environment".to_owned(),
        }));
        Ok(listed)
    }

    /// What a setting is if another one decides it, and which.
    fn decided(&self, name: &str) -> Option<(&'static str, String)> {
        let share = self.share_of_memory(name).map(|bytes| (WHOLE_MEMORY, bytes.to_string()));
        share.or_else(|| {
            let limits = &self.rate_limits;
            let limit = match name {
                "rate_limits.key_per_minute" => limits.key_per_minute,
                "rate_limits.key_per_hour" => limits.key_per_hour,
                "rate_limits.patterns_diff_per_minute" => limits.patterns_diff_per_minute,
                "rate_limits.patterns_diff_per_hour" => limits.patterns_diff_per_hour,
                _ => return None,
            };
            Some((RATE_PRESET, limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())))
        })
    }

    /// The bytes of a setting that `memory.total_bytes` decides unless something else does.
    fn share_of_memory(&self, name: &str) -> Option<u64> {
        let bytes = match name {
            "ingest.max_in_flight_bytes" => self.ingest.max_in_flight_bytes,
            "engine.max_buffer_bytes" => self.engine.max_buffer_bytes,
            "engine.flush_bytes" => self.engine.flush_bytes,
            "engine.cache_bytes" => self.engine.cache_bytes,
            "query.memory_bytes" => self.engine.query_memory_bytes,
            "engine.merge_memory_bytes" => return Some(self.engine.merge_memory_bytes),
            _ => return None,
        };
        Some(bytes as u64)
    }
}

fn shown(setting: &Setting, text: &str) -> String {
    if text == "none" || text.is_empty() {
        return text.to_owned();
    }
    if SECRET_ENDINGS.iter().any(|ending| setting.key.ends_with(ending)) {
        return HIDDEN.to_owned();
    }
    without_credentials(text)
}

/// A URL without what may be a secret in it: user, password and query string. Other texts as they are.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://{HIDDEN}@{place}"),
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT_DATA_DIR;

    fn effective(environment: &[(&str, &str)]) -> Vec<EffectiveSetting> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sources = Sources { environment: environment.collect(), ..Sources::default() };
        ServerConfig::effective(ServerConfig::new(DEFAULT_DATA_DIR), &sources).unwrap()
    }

    fn of<'s>(listed: &'s [EffectiveSetting], name: &str) -> (&'s str, &'s str) {
        let setting = listed.iter().find(|setting| setting.name == name).unwrap();
        (&setting.value, &setting.source)
    }

    #[test]
    fn every_setting_is_listed_with_its_source() {
        let listed = effective(&[("TIMBERLINE_SERVER__LISTEN", "127.0.0.1:9")]);
        assert_eq!(listed.len(), settings().count());
        assert_eq!(of(&listed, "server.listen"), ("127.0.0.1:9", "environment"));
        assert_eq!(of(&listed, "query.memory_bytes"), ("512MiB", "default"));
    }

    #[test]
    fn a_share_of_the_memory_says_so_unless_it_is_given() {
        let listed = effective(&[
            ("TIMBERLINE_MEMORY__TOTAL_BYTES", "8GiB"),
            ("TIMBERLINE_ENGINE__CACHE_BYTES", "1MiB"),
        ]);
        assert_eq!(of(&listed, "query.memory_bytes"), ("2147483648", "memory.total_bytes"));
        assert_eq!(of(&listed, "engine.cache_bytes"), ("1MiB", "environment"));
    }

    #[test]
    fn a_preset_says_what_it_decides() {
        let listed = effective(&[
            ("TIMBERLINE_RATE_LIMITS__PRESET", "reference"),
            ("TIMBERLINE_RATE_LIMITS__KEY_PER_HOUR", "none"),
        ]);
        assert_eq!(of(&listed, "rate_limits.key_per_minute"), ("480", RATE_PRESET));
        assert_eq!(of(&listed, "rate_limits.key_per_hour"), ("none", "environment"));
        assert_eq!(of(&listed, "rate_limits.project_per_hour"), ("none", "default"));
    }

    #[test]
    fn every_share_of_the_memory_is_known() {
        let (small, mut large) = (ServerConfig::new(DEFAULT_DATA_DIR), ServerConfig::new(DEFAULT_DATA_DIR));
        large.share_memory(64 << 30);
        for setting in settings().filter(|setting| setting.name() != WHOLE_MEMORY) {
            let mut mended = large.clone();
            mended.set(setting, setting.default, "test").unwrap();
            let is_share = format!("{mended:?}") != format!("{large:?}");
            assert_eq!(is_share, small.share_of_memory(&setting.name()).is_some(), "{}", setting.name());
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let listed = effective(&[
            ("TIMBERLINE_METADATA__URL", "postgres://me:hush@host/db?password=hush"),
            ("TIMBERLINE_AI__API_KEY", "hush"),
            ("TIMBERLINE_AI__BASE_URL", "https://me:hush@host/v1"),
            ("TIMBERLINE_STORAGE__URL", "s3://logs/eu"),
            ("TIMBERLINE_TRACES__HEADERS", "authorization=hush"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
        ]);
        assert!(!format!("{listed:?}").contains("hush"), "{listed:?}");
        assert_eq!(of(&listed, "metadata.url").0, "postgres://(hidden)@host/db");
        assert_eq!(of(&listed, "ai.api_key").0, HIDDEN);
        assert_eq!(of(&listed, "AWS_SECRET_ACCESS_KEY"), (HIDDEN, "environment"));
        assert_eq!(of(&listed, "storage.url").0, "s3://logs/eu");
        assert_eq!(of(&effective(&[]), "ai.api_key"), ("none", "default"));
    }
}
