//! Where the texts of settings come from, and which of them counts.

use std::collections::HashMap;
use std::path::PathBuf;

use super::sections::settings;
use super::setting::{CLIENT_VARIABLES, ENVIRONMENT_PREFIX, Setting};
use super::{IngestConfig, ServerConfig};

/// What the variables begin with that remote stores are reached by.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// A setting that does not exist, or has a value that it cannot have; one line for people.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct SettingError(String);

/// The sources of settings, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Name and text of the configuration file.
    pub file: Option<(PathBuf, String)>,
    /// The environment; variables without the product's prefix are ignored.
    pub environment: Vec<(String, String)>,
    /// Settings given as flags: name (`section.key`) and value.
    pub flags: Vec<(&'static str, String)>,
}

impl ServerConfig {
    /// Reads the sources over defaults.
    ///
    /// # Errors
    /// The first setting that is unknown or out of its bounds, with the place it stands in.
    pub fn load(defaults: Self, sources: &Sources) -> Result<Self, SettingError> {
        let given = Given::read(sources)?;
        let mut config = defaults;
        for setting in settings() {
            if let Some((text, source)) = given.get(&setting.name()) {
                config.set(setting, text, source)?;
            }
        }
        config.read_store_options(&sources.environment);
        config.validate()?;
        Ok(config)
    }

    /// Takes the variables that the store's own tools know too, like `AWS_ACCESS_KEY_ID`. Those that its client does
    /// not know are other programs' affair.
    pub(crate) fn read_store_options(&mut self, environment: &[(String, String)]) {
        let is_of_a_store = |name: &str| STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let storage = &mut self.engine.storage;
        let known =
            environment.iter().filter(|(name, _)| is_of_a_store(name) && storage.accepts_option(name));
        storage.options = known.cloned().collect();
    }

    pub(super) fn set(&mut self, setting: &Setting, text: &str, source: &str) -> Result<(), SettingError> {
        (setting.apply)(self, text)
            .map_err(|reason| SettingError(format!("setting {} ({source}): {reason}", setting.name())))
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.engine.validate().map_err(|error| SettingError(format!("setting {}", error.message())))?;
        let IngestConfig { max_encoded_bytes, max_decompressed_bytes, max_in_flight_bytes, .. } = self.ingest;
        let one_request = max_encoded_bytes.saturating_add(max_decompressed_bytes);
        if max_in_flight_bytes < one_request {
            return Err(SettingError(format!(
                "setting ingest.max_in_flight_bytes: {max_in_flight_bytes} is too small for one request of the largest \
                 size; it must be at least {one_request}"
            )));
        }
        Ok(())
    }
}

/// What the sources say: the text of each setting and where it stands, the strongest source's.
#[derive(Debug, Default)]
pub(super) struct Given {
    values: HashMap<String, (String, String)>,
}

impl Given {
    /// Reads the sources, weakest first.
    pub(super) fn read(sources: &Sources) -> Result<Self, SettingError> {
        let mut given = Self::default();
        if let Some((path, text)) = &sources.file {
            given.read_file(&path.display().to_string(), text)?;
        }
        for (variable, value) in &sources.environment {
            given.read_variable(variable, value)?;
        }
        for (name, value) in &sources.flags {
            let setting =
                find(|setting| setting.name() == *name).expect("BUG: a flag names a setting of the table");
            given.note(setting, value.clone(), "command line");
        }
        Ok(given)
    }

    /// The text of a setting and where it stands, if a source has it.
    pub(super) fn get(&self, name: &str) -> Option<(&str, &str)> {
        self.values.get(name).map(|(text, source)| (text.as_str(), source.as_str()))
    }

    fn note(&mut self, setting: &Setting, text: String, source: &str) {
        self.values.insert(setting.name(), (text, source.to_owned()));
    }

    fn read_file(&mut self, path: &str, text: &str) -> Result<(), SettingError> {
        let tables: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            SettingError(format!("cannot read {path}: {}", one_line(&error)))
        })?;
        for (section, table) in &tables {
            let toml::Value::Table(table) = table else {
                return Err(SettingError(format!("unknown setting {section} in {path}")));
            };
            for (key, value) in table {
                let setting = find(|setting| setting.section == section && setting.key == key)
                    .ok_or_else(|| SettingError(format!("unknown setting {section}.{key} in {path}")))?;
                self.note(setting, toml_text(value), path);
            }
        }
        Ok(())
    }

    fn read_variable(&mut self, variable: &str, value: &str) -> Result<(), SettingError> {
        if !variable.starts_with(ENVIRONMENT_PREFIX) || CLIENT_VARIABLES.contains(&variable) {
            return Ok(());
        }
        let setting = find(|setting| setting.variable() == variable)
            .ok_or_else(|| SettingError(format!("unknown setting {variable} in the environment")))?;
        self.note(setting, value.to_owned(), "environment");
        Ok(())
    }
}

fn find(matches: impl Fn(&Setting) -> bool) -> Option<&'static Setting> {
    settings().find(|setting| matches(setting))
}

/// A TOML value as the text that a flag or a variable would have.
fn toml_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// TOML's errors span several lines with the source in them; the first lines say it all.
fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', ", ")
}
