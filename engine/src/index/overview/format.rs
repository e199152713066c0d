//! The bytes of the recipe `overview`, before compression; varints as in `index/bytes.rs`.
//!
//! | content | |
//! |---|---|
//! | projects: number, ids | varint, signed varints |
//! | users: the same | |
//! | scopes: number, texts | varint, list |
//! | activities, clients: the same | |
//! | kinds: number | varint |
//! | … of each: project, scope, activity, whether staff acted, client, user | six columns of varints |
//! | fields: number of scopes, texts | varint, list |
//! | … of each scope: number of paths, texts | varint, list |
//! | … of each path: its types, a bit each in the order of their names | varints |
//!
//! Everything is sorted, each once. A kind has places in the lists, plus one where it can be null: project, client and
//! user; whether staff acted is 0 for null, 1 for no, 2 for yes.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{DetailFields, FieldType};
use super::{Kind, Overview};
use crate::index::bytes::{Decoded, Reader, ensure, push_signed, push_varint};
use crate::index::text_list::TextList;

impl Overview {
    pub(in crate::index) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for numbers in [&self.projects, &self.users] {
            push_varint(&mut out, numbers.len() as u64);
            numbers.iter().for_each(|number| push_signed(&mut out, *number));
        }
        for texts in [&self.scopes, &self.activities, &self.clients] {
            push_texts(&mut out, texts);
        }
        push_varint(&mut out, self.kinds.len() as u64);
        for column in COLUMNS {
            self.kinds.iter().for_each(|kind| push_varint(&mut out, u64::from(column(kind))));
        }
        push_texts(&mut out, &self.fields.keys().map(String::as_str).collect());
        for paths in self.fields.values() {
            push_texts(&mut out, &paths.keys().map(String::as_str).collect());
            paths.values().for_each(|types| push_varint(&mut out, bits_of(types)));
        }
        out
    }

    /// Any number of rows has an overview.
    pub(in crate::index) fn decode(bytes: &[u8], _num_rows: u64) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let (projects, users) = (numbers_of(&mut reader)?, numbers_of(&mut reader)?);
        let (scopes, activities, clients) =
            (texts_of(&mut reader)?, texts_of(&mut reader)?, texts_of(&mut reader)?);
        let num_kinds = reader.count()?;
        let mut column = || reader.varints_u32(num_kinds);
        let (project, scope, activity) = (column()?, column()?, column()?);
        let (was_impersonated, client, user) = (column()?, column()?, column()?);
        let kinds: Box<[Kind]> = (0..num_kinds)
            .map(|at| Kind {
                project: project[at],
                scope: scope[at],
                activity: activity[at],
                was_impersonated: was_impersonated[at],
                client: client[at],
                user: user[at],
            })
            .collect();
        ensure(kinds.is_sorted_by(|one, other| one < other), "its kinds are in no order")?;
        let are_there = kinds.iter().all(|kind| {
            kind.project as usize <= projects.len()
                && (kind.scope as usize) < scopes.len()
                && (kind.activity as usize) < activities.len()
                && kind.was_impersonated <= 2
                && kind.client as usize <= clients.len()
                && kind.user as usize <= users.len()
        });
        ensure(are_there, "a kind is of nothing that there is")?;
        let fields = fields_of(&mut reader)?;
        reader.end()?;
        Ok(Self { projects, users, scopes, activities, clients, kinds, fields })
    }
}

/// The columns of kinds, in the order of their bytes.
const COLUMNS: [fn(&Kind) -> u32; 6] = [
    |kind| kind.project,
    |kind| kind.scope,
    |kind| kind.activity,
    |kind| kind.was_impersonated,
    |kind| kind.client,
    |kind| kind.user,
];

fn push_texts(out: &mut Vec<u8>, texts: &TextList) {
    push_varint(out, texts.len() as u64);
    texts.encode(out);
}

fn texts_of(reader: &mut Reader<'_>) -> Decoded<TextList> {
    let num_texts = reader.count()?;
    let texts = TextList::decode(reader, num_texts)?;
    let are_sorted = (1..texts.len()).all(|text| texts.get(text - 1) < texts.get(text));
    ensure(are_sorted, "its texts are in no order")?;
    Ok(texts)
}

fn numbers_of(reader: &mut Reader<'_>) -> Decoded<Box<[i64]>> {
    let num_numbers = reader.count()?;
    let numbers: Box<[i64]> = (0..num_numbers).map(|_| reader.signed()).collect::<Decoded<_>>()?;
    ensure(numbers.is_sorted_by(|one, other| one < other), "its numbers are in no order")?;
    Ok(numbers)
}

fn fields_of(reader: &mut Reader<'_>) -> Decoded<DetailFields> {
    let scopes = texts_of(reader)?;
    let mut fields = DetailFields::new();
    for scope in scopes.iter() {
        let paths = texts_of(reader)?;
        let mut of_scope = BTreeMap::new();
        for (path, bits) in paths.iter().zip(reader.varints(paths.len())?) {
            of_scope.insert(path.to_owned(), types_of(bits)?);
        }
        fields.insert(scope.to_owned(), of_scope);
    }
    Ok(fields)
}

fn bits_of(types: &BTreeSet<FieldType>) -> u64 {
    let bits = FieldType::ALL.iter().enumerate().filter(|(_, field_type)| types.contains(field_type));
    bits.map(|(bit, _)| 1 << bit).sum()
}

fn types_of(bits: u64) -> Decoded<BTreeSet<FieldType>> {
    ensure(bits < 1 << FieldType::ALL.len(), "a field has a type that there is not")?;
    let types = FieldType::ALL.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
    Ok(types.map(|(_, field_type)| *field_type).collect())
}
