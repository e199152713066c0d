//! How the columns of a file are encoded and compressed.

use super::form::{AttributeForm, FileForm};
use super::promotion::KeyFacts;
use anyhow::Result;
use arrow::datatypes::{DataType, Field, Schema};
use engine::schema::columns;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// An encoding of one column. All but a dictionary are what they say; a dictionary gives way to plain values
/// when it grows too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Distinct values once, and the number of each row's one.
    Dictionary,
    /// Value after value.
    Plain,
    /// Differences of integers, bit-packed.
    Delta,
    /// Lengths of texts bit-packed, then all texts.
    DeltaLength,
    /// What differs from the value before.
    DeltaBytes,
    /// All first bytes, then all second bytes.
    Split,
}

impl Coding {
    fn encoding(self) -> Option<Encoding> {
        match self {
            Self::Dictionary => None,
            Self::Plain => Some(Encoding::PLAIN),
            Self::Delta => Some(Encoding::DELTA_BINARY_PACKED),
            Self::DeltaLength => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
            Self::DeltaBytes => Some(Encoding::DELTA_BYTE_ARRAY),
            Self::Split => Some(Encoding::BYTE_STREAM_SPLIT),
        }
    }
}

/// A compression codec and its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// As encoded.
    None,
    /// LZ4 without frames.
    Lz4,
    /// Zstandard with a level.
    Zstd(i32),
}

impl Codec {
    /// In Parquet's words.
    ///
    /// # Errors
    /// A level that Zstandard does not have.
    pub(crate) fn compression(self) -> Result<Compression> {
        Ok(match self {
            Self::None => Compression::UNCOMPRESSED,
            Self::Lz4 => Compression::LZ4_RAW,
            Self::Zstd(level) => Compression::ZSTD(ZstdLevel::try_new(level)?),
        })
    }
}

/// How one column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnCoding {
    /// Its encoding.
    pub(crate) coding: Coding,
    /// Its compression; the file's when left out.
    pub(crate) codec: Option<Codec>,
    /// Bytes of a page before compression; the file's when left out.
    pub(crate) page_bytes: Option<usize>,
    /// Bytes up to which a dictionary may grow.
    pub(crate) dictionary_bytes: Option<usize>,
}

impl ColumnCoding {
    /// An encoding with everything else as the file has it.
    pub(crate) const fn new(coding: Coding) -> Self {
        Self { coding, codec: None, page_bytes: None, dictionary_bytes: None }
    }

    /// The same with a compression of its own.
    pub(crate) const fn codec(self, codec: Codec) -> Self {
        Self { codec: Some(codec), ..self }
    }

    /// The same with pages of its own size.
    pub(crate) const fn page_bytes(self, bytes: usize) -> Self {
        Self { page_bytes: Some(bytes), ..self }
    }

    /// The same with a bound of its own for the dictionary.
    pub(crate) const fn dictionary_bytes(self, bytes: usize) -> Self {
        Self { dictionary_bytes: Some(bytes), ..self }
    }

    fn apply(
        self,
        mut properties: WriterPropertiesBuilder,
        path: &ColumnPath,
    ) -> Result<WriterPropertiesBuilder> {
        let encoding = self.coding.encoding();
        properties = properties.set_column_dictionary_enabled(path.clone(), encoding.is_none());
        if let Some(encoding) = encoding {
            properties = properties.set_column_encoding(path.clone(), encoding);
        }
        if let Some(codec) = self.codec {
            properties = properties.set_column_compression(path.clone(), codec.compression()?);
        }
        if let Some(bytes) = self.page_bytes {
            properties = properties.set_column_data_page_size_limit(path.clone(), bytes);
        }
        if let Some(bytes) = self.dictionary_bytes {
            properties = properties.set_column_dictionary_page_size_limit(path.clone(), bytes);
        }
        Ok(properties)
    }
}

/// How all columns of a file are stored.
#[derive(Clone, Debug)]
pub(crate) struct FileCoding {
    /// Of columns that say nothing else.
    pub(crate) codec: Codec,
    /// Bytes of a page before compression.
    pub(crate) page_bytes: usize,
    /// Rows of a page at most.
    pub(crate) page_rows: usize,
    /// Columns, by the parts of their path in the file, that are not stored with a dictionary and the settings
    /// above.
    pub(crate) columns: Vec<(Vec<String>, ColumnCoding)>,
    /// How a promoted attribute is stored; with a dictionary when left out.
    pub(crate) promoted: Option<PromotedCoding>,
}

/// Decides how a promoted attribute is stored; with a dictionary when it answers nothing.
pub(crate) type PromotedCoding = fn(&KeyFacts, &FileForm) -> Option<ColumnCoding>;

impl FileCoding {
    /// The writer's settings.
    ///
    /// # Errors
    /// A level that Zstandard does not have.
    pub(crate) fn properties(&self, row_group_rows: usize) -> Result<WriterProperties> {
        let mut properties = WriterProperties::builder()
            .set_compression(self.codec.compression()?)
            .set_max_row_group_row_count(Some(row_group_rows))
            .set_data_page_size_limit(self.page_bytes)
            .set_data_page_row_count_limit(self.page_rows)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_column_statistics_enabled(ColumnPath::from(columns::TIMESTAMP), EnabledStatistics::Page)
            .set_column_statistics_enabled(ColumnPath::from(columns::BODY), EnabledStatistics::None);
        for (name, coding) in &self.columns {
            properties = coding.apply(properties, &ColumnPath::new(name.clone()))?;
        }
        Ok(properties.build())
    }

    /// The same, with the settings that depend on which attributes have columns.
    #[must_use]
    pub(crate) fn for_attributes(mut self, form: &FileForm) -> Self {
        let Some(promoted) = self.promoted else { return self };
        let (keys, is_variant) = match &form.attributes {
            AttributeForm::Promoted(keys) => (keys, false),
            AttributeForm::Variant(keys) => (keys, true),
            AttributeForm::Maps => return self,
        };
        for key in keys {
            let Some(coding) = promoted(key, form) else { continue };
            let column = key.column();
            let path = if is_variant {
                vec![key.map.name(), "typed_value", &key.key, "typed_value"]
            } else {
                vec![column.as_str()]
            };
            self = self.with(&path, coding);
        }
        self
    }

    /// The same, with one column stored in another way.
    #[must_use]
    pub(crate) fn with(mut self, path: &[&str], coding: ColumnCoding) -> Self {
        self.columns.retain(|(column, _)| column != path);
        self.columns.push((path.iter().map(|part| (*part).to_owned()).collect(), coding));
        self
    }

    /// Whether a column at the top has a dictionary.
    pub(crate) fn is_dictionary(&self, name: &str) -> bool {
        let coding = self.columns.iter().find(|(path, _)| path == &[name]);
        coding.is_none_or(|(_, coding)| coding.coding == Coding::Dictionary)
    }
}

/// The settings that comparisons start from: what layout version 0 does.
pub(crate) fn base() -> FileCoding {
    let coded = |coding, names: &[&str]| {
        names.iter().map(|name| (vec![(*name).to_owned()], ColumnCoding::new(coding))).collect::<Vec<_>>()
    };
    let times = [columns::TIMESTAMP, columns::OBSERVED_TIMESTAMP, columns::INGESTED_TIMESTAMP];
    let mut all = coded(Coding::Delta, &times);
    all.extend(coded(Coding::DeltaBytes, &[columns::UUID]));
    all.extend(coded(Coding::Plain, &[columns::TRACE_ID, columns::SPAN_ID, columns::BODY]));
    FileCoding { codec: Codec::Zstd(3), page_bytes: 1 << 20, page_rows: 20_000, columns: all, promoted: None }
}

/// The schema that readers ask for: dictionaries stay dictionaries, so that a predicate is evaluated once for
/// each distinct value.
pub(crate) fn reading_schema(schema: &Schema, is_dictionary: impl Fn(&str) -> bool) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let is_text = matches!(field.data_type(), DataType::Utf8);
        if is_text && is_dictionary(field.name()) {
            let dictionary = engine::schema::dictionary_type();
            Field::new(field.name(), dictionary, field.is_nullable())
        } else {
            field.as_ref().clone()
        }
    });
    Schema::new(fields.collect::<Vec<_>>())
}
