//! The layouts that are compared, one dimension at a time against one base.

use engine::schema::columns;

use super::coding::{Codec, Coding, ColumnCoding, FileCoding, base};
use super::form::{AttributeForm, FileForm, OBSERVED_DELAY};
use super::order::{ClusterBy, Slices, SortOrder};
use super::promotion::{KeyFacts, MapColumn, choose};
use super::types::TypeLetters;

const K: usize = 1024;

const BY_RESOURCE: &[ClusterBy] = &[ClusterBy::Service, ClusterBy::Severity, ClusterBy::Resource];
const BY_TEMPLATE: &[ClusterBy] = &[ClusterBy::Service, ClusterBy::Template];

/// Slices of time, clustered by the place of the record in code and fleet.
pub(crate) const BY_RESOURCE_128K: SortOrder =
    SortOrder { slices: Slices::OfRows(128 * K), cluster_by: BY_RESOURCE };
/// Slices of time, clustered by what the body looks like.
pub(crate) const BY_TEMPLATE_128K: SortOrder =
    SortOrder { slices: Slices::OfRows(128 * K), cluster_by: BY_TEMPLATE };
/// Time only.
pub(crate) const BY_TIME: SortOrder = SortOrder { slices: Slices::OfRows(128 * K), cluster_by: &[] };

/// Which attributes are stored how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Attributes {
    /// In maps.
    Maps,
    /// The most frequent ones in columns: at most so many, each in at least such a share of the rows.
    Promoted(usize, f64),
    /// The same ones shredded out of a Variant.
    Variant(usize, f64),
}

impl Attributes {
    /// The form for what is known of the attributes.
    pub(crate) fn form(self, facts: &[KeyFacts], num_rows: usize) -> AttributeForm {
        match self {
            Self::Maps => AttributeForm::Maps,
            Self::Promoted(max, share) => AttributeForm::Promoted(choose(facts, num_rows, max, share)),
            Self::Variant(max, share) => AttributeForm::Variant(choose(facts, num_rows, max, share)),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Maps => "maps".to_owned(),
            Self::Promoted(max, share) => format!("columns for {max} keys of at least {:.1} %", share * 1e2),
            Self::Variant(max, share) => format!("variant, {max} keys of at least {:.1} %", share * 1e2),
        }
    }
}

/// One layout.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// What the report calls it.
    pub(crate) name: String,
    /// The order of rows.
    pub(crate) order: SortOrder,
    /// How attributes are stored.
    pub(crate) attributes: Attributes,
    /// The rest of the form; its attributes are replaced.
    pub(crate) form: FileForm,
    /// Encodings and compression.
    pub(crate) coding: FileCoding,
}

const HOT: Attributes = Attributes::Promoted(64, 0.005);

/// Pages of the body: small enough to fetch a few rows, large enough to compress.
const BODY_PAGE_BYTES: usize = 256 * K;
/// Rows of a slice, and of a page at most: pages end where slices end.
const SLICE_ROWS: usize = 32 * K;
const ROW_GROUP_ROWS: usize = 128 * K;

/// The order that is decided for.
const DECIDED_ORDER: SortOrder =
    SortOrder { slices: Slices::InRowGroups(SLICE_ROWS, ROW_GROUP_ROWS), cluster_by: BY_RESOURCE };

/// The layout that is decided for, as compaction writes it.
fn decided(name: impl Into<String>) -> Candidate {
    let form = FileForm {
        hex_as_bytes: true,
        null_ids: true,
        observed_as_delay: true,
        types: TypeLetters::WhereSurprising,
        ..FileForm::new(AttributeForm::Maps)
    };
    let coding = FileCoding { page_rows: SLICE_ROWS, ..best_coding(BODY_PAGE_BYTES, Codec::Zstd(9)) };
    Candidate { name: name.into(), order: DECIDED_ORDER, attributes: HOT, form, coding }
}

fn version_0() -> Candidate {
    let (form, coding) = (FileForm::new(AttributeForm::Maps), base());
    let name = "version 0: maps, by time".to_owned();
    Candidate { name, order: BY_TIME, attributes: Attributes::Maps, form, coding }
}

/// What the report says above the orders.
pub(crate) const ORDERS_NOTE: &str =
    "The decided layout, zstd 9, in other orders; pages have no more rows than a slice.";

/// Sort orders and sizes of row groups.
pub(crate) fn orders() -> Vec<Candidate> {
    let mut orders =
        vec![SortOrder { slices: Slices::InRowGroups(SLICE_ROWS, ROW_GROUP_ROWS), cluster_by: &[] }];
    for cluster_by in [BY_RESOURCE, BY_TEMPLATE] {
        let slices =
            |rows| SortOrder { slices: Slices::InRowGroups(rows, rows.max(ROW_GROUP_ROWS)), cluster_by };
        orders.extend([16 * K, SLICE_ROWS, 64 * K, 128 * K, 256 * K].map(slices));
        orders.push(SortOrder { slices: Slices::OfRows(SLICE_ROWS), cluster_by });
        orders.push(SortOrder { slices: Slices::OfHours(ROW_GROUP_ROWS), cluster_by });
    }
    let others: [&[ClusterBy]; 4] = [
        &[ClusterBy::Service, ClusterBy::Resource],
        &[ClusterBy::Service, ClusterBy::Severity],
        &[ClusterBy::Service, ClusterBy::Severity, ClusterBy::Template],
        &[ClusterBy::Service, ClusterBy::Template, ClusterBy::Resource],
    ];
    orders.extend(others.map(|cluster_by| SortOrder { cluster_by, ..DECIDED_ORDER }));
    let in_order = |order: SortOrder| {
        let page_rows = match order.slices {
            Slices::OfRows(rows) | Slices::InRowGroups(rows, _) => rows,
            Slices::OfHours(_) => SLICE_ROWS,
        };
        let decided = decided(order.name());
        Candidate { order, coding: FileCoding { page_rows, ..decided.coding.clone() }, ..decided }
    };
    orders.into_iter().map(in_order).collect()
}

/// What the report says above the attributes.
pub(crate) const ATTRIBUTES_NOTE: &str = "The decided layout with attributes stored in other ways.";

/// Ways to store attributes.
pub(crate) fn attributes() -> Vec<Candidate> {
    let forms = [
        Attributes::Maps,
        Attributes::Promoted(32, 0.005),
        HOT,
        Attributes::Promoted(64, 0.01),
        Attributes::Promoted(64, 0.0),
        Attributes::Promoted(128, 0.005),
        Attributes::Promoted(128, 0.001),
        Attributes::Promoted(256, 0.001),
        Attributes::Variant(64, 0.005),
    ];
    let mut all = vec![version_0()];
    all.extend(forms.map(|attributes| Candidate { attributes, ..decided(attributes.name()) }));
    for (name, coding) in [("delta length", Coding::DeltaLength), ("plain", Coding::Plain)] {
        let mut next = decided(format!("{}, values of maps: {name}", HOT.name()));
        for map in MapColumn::ALL {
            next.coding = next.coding.with(&[map.name(), "entries", "value"], ColumnCoding::new(coding));
        }
        all.push(next);
    }
    let mut letters = decided(format!("{}, letters of types on all rows", HOT.name()));
    letters.form.types = TypeLetters::All;
    all.push(letters);
    let mut text = decided(format!("{}, hexadecimal digits as text", HOT.name()));
    text.form.hex_as_bytes = false;
    all.push(text);
    all
}

/// What the report says above compression.
pub(crate) const COMPRESSION_NOTE: &str = "The decided layout with other codecs and pages.";

/// Codecs, levels and sizes of pages.
pub(crate) fn compression() -> Vec<Candidate> {
    let with = |name: String, codec, body_page_bytes, page_rows| Candidate {
        coding: FileCoding { page_rows, ..best_coding(body_page_bytes, codec) },
        ..decided(name)
    };
    let codecs =
        [Codec::Lz4, Codec::Zstd(1), Codec::Zstd(3), Codec::Zstd(6), Codec::Zstd(9), Codec::Zstd(12)];
    let mut all: Vec<_> = codecs
        .into_iter()
        .map(|codec| with(format!("{codec:?}"), codec, BODY_PAGE_BYTES, SLICE_ROWS))
        .collect();
    for (body, others) in [(9, 3), (12, 9)] {
        let mut next = with(
            format!("body Zstd({body}), others Zstd({others})"),
            Codec::Zstd(others),
            BODY_PAGE_BYTES,
            SLICE_ROWS,
        );
        let body =
            ColumnCoding::new(Coding::DeltaLength).page_bytes(BODY_PAGE_BYTES).codec(Codec::Zstd(body));
        next.coding = next.coding.with(&[columns::BODY], body);
        all.push(next);
    }
    for kib in [64, 128, 512, 1024] {
        all.push(with(format!("Zstd(9), body pages of {kib} KiB"), Codec::Zstd(9), kib * K, SLICE_ROWS));
    }
    for rows in [8, 16, 64, 128] {
        all.push(with(format!("Zstd(9), pages of {rows}k rows"), Codec::Zstd(9), BODY_PAGE_BYTES, rows * K));
    }
    all
}

/// The share of distinct values above which a dictionary costs more than it saves. Numbers are so short that
/// it is soon reached.
const MOSTLY_DISTINCT_NUMBERS: f64 = 0.1;
const MOSTLY_DISTINCT_TEXTS: f64 = 0.75;

/// The best encoding of each column, with one codec for all that it gains something for.
fn best_coding(body_page_bytes: usize, codec: Codec) -> FileCoding {
    let values = ColumnCoding::new(Coding::DeltaLength);
    // What does not compress is read in small pages at no cost.
    let incompressible = |coding| ColumnCoding::new(coding).codec(Codec::None).page_bytes(64 * K);
    FileCoding {
        codec,
        page_bytes: K * K,
        page_rows: K * K,
        columns: Vec::new(),
        promoted: Some(promoted_coding),
    }
    .with(&[columns::TIMESTAMP], incompressible(Coding::Delta))
    .with(&[columns::OBSERVED_TIMESTAMP], incompressible(Coding::Delta))
    .with(&[OBSERVED_DELAY], incompressible(Coding::Delta))
    .with(&[columns::UUID], ColumnCoding::new(Coding::DeltaBytes))
    .with(&[columns::TRACE_ID], ColumnCoding::new(Coding::Plain))
    .with(&[columns::SPAN_ID], incompressible(Coding::Plain))
    .with(&[columns::BODY], values.page_bytes(body_page_bytes))
}

fn promoted_coding(key: &KeyFacts, form: &FileForm) -> Option<ColumnCoding> {
    let is_number = key.is_integer || key.is_double;
    let most = if is_number { MOSTLY_DISTINCT_NUMBERS } else { MOSTLY_DISTINCT_TEXTS };
    let is_variant = matches!(form.attributes, AttributeForm::Variant(_));
    if key.hex_bytes.is_some() && form.hex_as_bytes && !is_variant {
        return Some(ColumnCoding::new(Coding::Plain).codec(Codec::None).page_bytes(64 * K));
    }
    // A Variant holds numbers as such, not as texts.
    let coding = if is_variant && is_number { Coding::Plain } else { Coding::DeltaLength };
    (key.distinct_share() > most).then_some(ColumnCoding::new(coding))
}

/// What the report says above the steps.
pub(crate) const STEPS_NOTE: &str = "Each line is the line above and one change.";

/// From version 0 to the decided layout, one change after the other.
pub(crate) fn steps() -> Vec<Candidate> {
    let mut next = version_0();
    let mut all = vec![next.clone()];
    let mut step =
        |name: &str, next: &Candidate| all.push(Candidate { name: name.to_owned(), ..next.clone() });
    next.attributes = HOT;
    step("+ columns for 64 keys", &next);
    next.order = DECIDED_ORDER;
    step("+ slices of 32k rows by service, severity, resource, time in row groups of 128k", &next);
    next.form.null_ids = true;
    step("+ ids that are unset are null", &next);
    next.coding = best_coding(K * K, Codec::Zstd(3));
    step("+ the best encoding of each column, pages of 1 MiB", &next);
    next.form.observed_as_delay = true;
    step("+ the observed time as a delay", &next);
    next.form.hex_as_bytes = true;
    step("+ hexadecimal attributes as bytes", &next);
    next.form.types = TypeLetters::WhereSurprising;
    step("+ letters of types where texts do not tell them", &next);
    next.coding = FileCoding { page_rows: SLICE_ROWS, ..best_coding(BODY_PAGE_BYTES, Codec::Zstd(3)) };
    step("+ pages of 32k rows, of the body 256 KiB", &next);
    next.coding = FileCoding { page_rows: SLICE_ROWS, ..best_coding(BODY_PAGE_BYTES, Codec::Zstd(9)) };
    step("+ zstd 9", &next);
    next.form.without_ingested = true;
    step("without the ingest time, whose milliseconds are in the row id", &next);
    all
}

/// What the report says above the finalists.
pub(crate) const FINALISTS_NOTE: &str = "Version 0 and the decided layout.";

/// What is decided between.
pub(crate) fn finalists() -> Vec<Candidate> {
    let mut flushed = decided("decided, zstd 1 (flush)");
    flushed.coding.codec = Codec::Zstd(1);
    let mut by_time = decided("decided, zstd 9, but by time only");
    by_time.order.cluster_by = &[];
    let mut wide = decided("decided, zstd 9, but columns for 128 keys of at least 0.1 %");
    wide.attributes = Attributes::Promoted(128, 0.001);
    vec![version_0(), flushed, decided("decided, zstd 9 (compaction)"), by_time, wide]
}
