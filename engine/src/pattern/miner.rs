//! Masked bodies to templates, in the manner of Drain: a body joins the template of its shape that it shares most
//! words with, if these are enough.
//!
//! Bodies come in a fixed order, the frequent ones first, so that templates follow from the bodies alone.

use std::collections::HashMap;

use super::ANY_WORD;
use super::shape::Parts;

/// Templates of one shape that a body is compared with: more only cost time, since so many of one shape have nothing
/// in common.
const MAX_COMPARED: usize = 256;

/// A masked body and how many rows have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MaskedBody {
    pub(crate) text: String,
    pub(crate) num_rows: u64,
}

/// Templates, by number of rows and then by text.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    templates: Vec<Template>,
    /// The template of each mined body.
    by_body: HashMap<String, u32>,
    /// Templates of a shape, those compared first, first.
    by_shape: HashMap<String, Vec<u32>>,
}

/// One template.
#[derive(Debug)]
pub(crate) struct Template {
    /// Its text.
    pub(crate) pattern: String,
    /// Rows of the mined bodies that have it.
    pub(crate) num_rows: u64,
    /// The mined bodies that have it.
    pub(crate) bodies: Vec<String>,
    /// None where words differ.
    words: Vec<Option<String>>,
}

/// A template while bodies still join it.
struct Cluster {
    words: Vec<Option<u32>>,
    /// Places among the bodies.
    bodies: Vec<usize>,
}

/// Words as numbers, which compare at once.
#[derive(Default)]
struct Words<'a> {
    ids: HashMap<&'a str, u32>,
}

impl<'a> Words<'a> {
    fn id(&mut self, word: &'a str) -> u32 {
        let next = self.ids.len() as u32;
        *self.ids.entry(word).or_insert(next)
    }
}

/// Mines templates. `bodies` are distinct, by number of rows, highest first, and then by text.
pub(crate) fn mine(bodies: &[MaskedBody]) -> Templates {
    let parts: Vec<Parts<'_>> = bodies.iter().map(|body| Parts::of(&body.text)).collect();
    let mut words = Words::default();
    let mut shapes: HashMap<String, Vec<Cluster>> = HashMap::new();
    for (place, parts) in parts.iter().enumerate() {
        let ids: Vec<u32> = parts.words.iter().map(|word| words.id(word)).collect();
        let clusters = shapes.entry(parts.shape()).or_default();
        match most_similar(&clusters[..clusters.len().min(MAX_COMPARED)], &ids, parts) {
            Some(cluster) => clusters[cluster].join(&ids, place),
            None => {
                clusters.push(Cluster { words: ids.into_iter().map(Some).collect(), bodies: vec![place] })
            }
        }
    }
    Templates::of(shapes, bodies, &parts)
}

/// The cluster that a body shares enough words with, and more than with any before it.
fn most_similar(clusters: &[Cluster], ids: &[u32], parts: &Parts<'_>) -> Option<usize> {
    // The names of values are equal in a shape and say nothing about how similar bodies are.
    let values: Vec<usize> = (0..ids.len()).filter(|word| !parts.is_key(*word)).collect();
    let mut best = None;
    for (place, cluster) in clusters.iter().enumerate() {
        let num_equal = values.iter().filter(|word| cluster.words[**word] == Some(ids[**word])).count();
        let is_near = match values.as_slice() {
            [] => true,
            // Two values with names are two things.
            [_, _] if values.len() < ids.len() => false,
            // Of two words the first says what it is about.
            [first, _] => cluster.words[*first] == Some(ids[*first]),
            values => 2 * num_equal >= values.len() && num_equal > 0,
        };
        if is_near && best.is_none_or(|(most, _)| num_equal > most) {
            best = Some((num_equal, place));
        }
    }
    best.map(|(_, place)| place)
}

impl Cluster {
    fn join(&mut self, ids: &[u32], body: usize) {
        for (word, id) in self.words.iter_mut().zip(ids) {
            if *word != Some(*id) {
                *word = None;
            }
        }
        self.bodies.push(body);
    }
}

/// Clusters that have come to the same words are one.
fn without_repeats(clusters: Vec<Cluster>) -> Vec<Cluster> {
    let mut places: HashMap<Vec<Option<u32>>, usize> = HashMap::new();
    let mut distinct: Vec<Cluster> = Vec::with_capacity(clusters.len());
    for cluster in clusters {
        match places.get(&cluster.words) {
            Some(place) => distinct[*place].bodies.extend(cluster.bodies),
            None => {
                places.insert(cluster.words.clone(), distinct.len());
                distinct.push(cluster);
            }
        }
    }
    for cluster in &mut distinct {
        cluster.bodies.sort_unstable();
    }
    distinct
}

impl Templates {
    fn of(shapes: HashMap<String, Vec<Cluster>>, bodies: &[MaskedBody], parts: &[Parts<'_>]) -> Self {
        let mut all: Vec<(Template, String, usize)> = Vec::new();
        for (shape, clusters) in shapes {
            for cluster in without_repeats(clusters) {
                let first = cluster.bodies[0];
                all.push((Template::of(&cluster, bodies, &parts[first]), shape.clone(), first));
            }
        }
        // The first body of a template is its own alone, so that the order is total.
        all.sort_by(|(left, _, left_first), (right, _, right_first)| {
            let by_rows = right.num_rows.cmp(&left.num_rows);
            by_rows.then_with(|| left.pattern.cmp(&right.pattern)).then(left_first.cmp(right_first))
        });
        let mut templates = Self::default();
        for (place, (template, shape, _)) in (0..).zip(all) {
            templates.by_body.extend(template.bodies.iter().map(|body| (body.clone(), place)));
            templates.by_shape.entry(shape).or_default().push(place);
            templates.templates.push(template);
        }
        templates
    }

    /// All of them.
    pub(crate) fn as_slice(&self) -> &[Template] {
        &self.templates
    }

    /// The template of a masked body: the one that it was mined into, or for another body the first one that has all
    /// of its words. None when there is none.
    pub(crate) fn find(&self, masked: &str) -> Option<u32> {
        if let Some(place) = self.by_body.get(masked) {
            return Some(*place);
        }
        let parts = Parts::of(masked);
        let of_shape = self.by_shape.get(&parts.shape())?;
        of_shape.iter().take(MAX_COMPARED).copied().find(|place| {
            self.templates.get(*place as usize).is_some_and(|template| template.has_words(&parts.words))
        })
    }

    /// What they take up in memory, about.
    pub(crate) fn size_bytes(&self) -> usize {
        const ENTRY_BYTES: usize = 256;
        let texts = self.by_body.keys().chain(self.by_shape.keys()).map(|text| 3 * text.len() + ENTRY_BYTES);
        texts.sum()
    }
}

impl Template {
    fn of(cluster: &Cluster, bodies: &[MaskedBody], parts: &Parts<'_>) -> Self {
        let mut pattern = parts.separators[0].to_owned();
        let mut words = Vec::with_capacity(cluster.words.len());
        for (place, word) in cluster.words.iter().enumerate() {
            // Where the words of all bodies are equal, they are those of the first.
            let word = word.map(|_| parts.words[place].to_owned());
            pattern.push_str(word.as_deref().unwrap_or(ANY_WORD));
            pattern.push_str(parts.separators[place + 1]);
            words.push(word);
        }
        let members = || cluster.bodies.iter().map(|place| &bodies[*place]);
        Self {
            pattern,
            num_rows: members().map(|body| body.num_rows).sum(),
            bodies: members().map(|body| body.text.clone()).collect(),
            words,
        }
    }

    fn has_words(&self, words: &[&str]) -> bool {
        let has = |(own, word): (&Option<String>, &&str)| own.as_deref().is_none_or(|own| own == *word);
        self.words.len() == words.len() && self.words.iter().zip(words).all(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mined(bodies: &[(&str, u64)]) -> Vec<(String, u64)> {
        let templates = mine(&masked(bodies));
        templates.as_slice().iter().map(|template| (template.pattern.clone(), template.num_rows)).collect()
    }

    fn masked(bodies: &[(&str, u64)]) -> Vec<MaskedBody> {
        let mut bodies: Vec<MaskedBody> = bodies
            .iter()
            .map(|(text, num_rows)| MaskedBody { text: (*text).to_owned(), num_rows: *num_rows })
            .collect();
        bodies.sort_by(|left, right| {
            right.num_rows.cmp(&left.num_rows).then_with(|| left.text.cmp(&right.text))
        });
        bodies
    }

    #[track_caller]
    fn check(bodies: &[(&str, u64)], expected: &[(&str, u64)]) {
        let found = mined(bodies);
        let found: Vec<(&str, u64)> = found.iter().map(|(pattern, rows)| (pattern.as_str(), *rows)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn bodies_that_differ_in_a_few_words_are_one_template() {
        check(
            &[
                ("user alice logged in", 5),
                ("user bob logged in", 4),
                ("user carol logged out", 1),
                ("bye", 7),
            ],
            &[("user <*> logged <*>", 10), ("bye", 7)],
        );
        check(
            &[("user alice", 1), ("user bob", 1), ("group alice", 1)],
            &[("user <*>", 2), ("group alice", 1)],
        );
        check(&[("start", 2), ("stop", 1)], &[("start", 2), ("stop", 1)]);
        check(&[("", 3)], &[("", 3)]);
    }

    #[test]
    fn names_of_values_do_not_make_bodies_similar() {
        check(
            &[(r#"{"level":"info","msg":"started"}"#, 2), (r#"{"level":"error","msg":"failed"}"#, 1)],
            &[(r#"{"level":"info","msg":"started"}"#, 2), (r#"{"level":"error","msg":"failed"}"#, 1)],
        );
        check(
            &[(r#"{"msg":"user alice logged in"}"#, 2), (r#"{"msg":"user bob logged in"}"#, 1)],
            &[(r#"{"msg":"user <*> logged in"}"#, 3)],
        );
    }

    #[test]
    fn every_body_has_one_template_and_unknown_ones_the_first_that_fits() {
        let bodies = masked(&[("get /a <num>", 9), ("get /b <num>", 3), ("put /a <num>", 1), ("x", 1)]);
        let templates = mine(&bodies);
        for body in &bodies {
            let place = templates.find(&body.text).unwrap() as usize;
            assert_eq!(
                templates.as_slice()[place].bodies.iter().filter(|text| **text == body.text).count(),
                1
            );
        }
        let total: u64 = templates.as_slice().iter().map(|template| template.num_rows).sum();
        assert_eq!(total, 14);
        let first = &templates.as_slice()[0];
        assert_eq!(first.pattern, "get <*> <num>");
        assert_eq!(templates.find("get /z <num>"), Some(0));
        assert_eq!(templates.find("post /z y"), None);
    }
}
