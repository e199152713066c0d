//! Bars on a logarithmic scale, as SVG.

use std::fmt::Write;

const ROW_HEIGHT: usize = 12;
const GROUP_GAP: usize = 10;
const LABEL_WIDTH: usize = 330;
const PLOT_WIDTH: f64 = 520.0;
const TOP: usize = 52;
const COLOURS: [&str; 4] = ["#2b6cb0", "#d69e2e", "#718096", "#38a169"];

/// The bars of one question.
#[derive(Debug)]
pub(super) struct Bars<'a> {
    pub(super) name: &'a str,
    /// One for each engine, above zero; none for an engine that was not asked.
    pub(super) values: Vec<Option<f64>>,
}

/// A group of bars for each question.
pub(super) fn plot(title: &str, engines: &[&str], groups: &[Bars<'_>]) -> String {
    let mut svg = String::new();
    write_all(&mut svg, title, engines, groups).expect("BUG: writing to a string does not fail");
    svg
}

fn write_all(svg: &mut String, title: &str, engines: &[&str], groups: &[Bars<'_>]) -> std::fmt::Result {
    let values =
        || groups.iter().flat_map(|group| &group.values).flatten().copied().filter(|value| *value > 0.0);
    let lowest = values().fold(f64::INFINITY, f64::min).min(1.0).log10().floor();
    let highest = values().fold(1.0, f64::max).log10().ceil().max(lowest + 1.0);
    let x = |value: f64| (value.max(10_f64.powf(lowest)).log10() - lowest) / (highest - lowest) * PLOT_WIDTH;
    let group_height = engines.len() * ROW_HEIGHT + GROUP_GAP;
    let height = TOP + groups.len() * group_height + 10;
    let width = LABEL_WIDTH + PLOT_WIDTH as usize + 80;
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">"#
    )?;
    writeln!(
        svg,
        r##"<rect width="100%" height="100%" fill="#fff"/><text x="10" y="18" font-size="14">{}</text>"##,
        escaped(title)
    )?;
    for (index, engine) in engines.iter().enumerate() {
        let (left, colour) = (10 + index * 110, COLOURS[index % COLOURS.len()]);
        writeln!(
            svg,
            r#"<rect x="{left}" y="27" width="10" height="10" fill="{colour}"/><text x="{}" y="36">{}</text>"#,
            left + 14,
            escaped(engine)
        )?;
    }
    for power in lowest as i32..=highest as i32 {
        let left = LABEL_WIDTH as f64 + x(10_f64.powi(power));
        writeln!(
            svg,
            r##"<line x1="{left:.1}" x2="{left:.1}" y1="{TOP}" y2="{}" stroke="#e2e8f0"/><text x="{left:.1}" y="{}" text-anchor="middle" fill="#718096">{}</text>"##,
            height - 10,
            TOP - 4,
            10_f64.powi(power)
        )?;
    }
    for (index, group) in groups.iter().enumerate() {
        let top = TOP + index * group_height + GROUP_GAP / 2;
        writeln!(
            svg,
            r#"<text x="{}" y="{}" text-anchor="end">{}</text>"#,
            LABEL_WIDTH - 8,
            top + group_height / 2,
            escaped(group.name)
        )?;
        for (place, value) in group.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let (y, colour) = (top + place * ROW_HEIGHT, COLOURS[place % COLOURS.len()]);
            let length = x(*value).max(1.0);
            writeln!(
                svg,
                r##"<rect x="{LABEL_WIDTH}" y="{y}" width="{length:.1}" height="{}" fill="{colour}"/><text x="{:.1}" y="{}" fill="#4a5568" font-size="9">{value:.2}</text>"##,
                ROW_HEIGHT - 2,
                LABEL_WIDTH as f64 + length + 4.0,
                y + ROW_HEIGHT - 3
            )?;
        }
    }
    writeln!(svg, "</svg>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
