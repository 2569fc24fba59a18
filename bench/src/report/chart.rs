//! Bar charts as SVG, readable on light and dark pages: a row a contender, a panel a number of sessions, a band an era.

use crate::report::results::Series;
use std::fmt::Write;

/// What is drawn.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) subtitle: String,
    pub(crate) bands: Vec<Band>,
}

/// The panels of one era.
pub(crate) struct Band {
    pub(crate) title: String,
    /// Row titles, and whether the row is ours.
    pub(crate) rows: Vec<(String, bool)>,
    pub(crate) panels: Vec<Panel>,
}

/// One panel: a bar for each row of the band.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<Option<Series>>,
}

const WIDTH: f64 = 880.0;
const MARGIN: f64 = 24.0;
const LABELS: f64 = 148.0;
const GAP: f64 = 18.0;
const ROW: f64 = 26.0;
const BAR: f64 = 14.0;
/// A bar so many times as long as the next is far out.
const FAR_OUT: f64 = 2.8;
/// Room for a value behind the longest bar.
const VALUE: f64 = 58.0;

/// Colours are classes, so that one media query turns the page dark; no variables, which some renderers lack.
const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#3d4550}\
.page{fill:#fff;stroke:#d5dae0}.title{font-size:16px;font-weight:600;fill:#171c22}.small{font-size:11.5px;fill:#68717c}\
.band{font-size:13px;font-weight:600;fill:#171c22}.value{font-size:11px}.ours{font-weight:600;fill:#0b6bcb}\
.track{fill:#f1f3f6}.bar{fill:#a3adb8}.bar.own{fill:#0b6bcb}.notch{stroke:#fff;stroke-width:2}.range{stroke:#3d4550;stroke-width:1.2;opacity:.75}\
@media(prefers-color-scheme:dark){text{fill:#b9c1cb}.page{fill:#14181d;stroke:#2d343c}.title,.band{fill:#eef1f5}\
.small{fill:#8b95a1}.ours{fill:#62b0ff}.track{fill:#1d2329}.bar{fill:#5d6875}.bar.own{fill:#3b93ee}.notch{stroke:#14181d}.range{stroke:#dfe4ea}}";

impl Chart {
    /// The whole file.
    pub(crate) fn svg(&self) -> String {
        let band_height = |band: &Band| 46.0 + ROW * band.rows.len() as f64;
        let height = 66.0 + self.bands.iter().map(band_height).sum::<f64>() + 14.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n\
             <rect class=\"page\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
            escaped(self.title),
            WIDTH - 1.0,
            height - 1.0
        );
        put(&mut svg, "title", MARGIN, 32.0, self.title);
        put(&mut svg, "small", MARGIN, 51.0, &self.subtitle);
        let mut top = 66.0;
        for band in &self.bands {
            band.draw(&mut svg, top);
            top += band_height(band);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Band {
    fn draw(&self, svg: &mut String, top: f64) {
        let count = self.panels.len().max(1) as f64;
        let width = (WIDTH - 2.0 * MARGIN - LABELS - GAP * (count - 1.0)) / count;
        put(svg, "band", MARGIN, top + 22.0, &self.title);
        for (at, (row, ours)) in self.rows.iter().enumerate() {
            let class = if *ours { "ours" } else { "row" };
            put(svg, class, MARGIN, top + 36.0 + ROW * at as f64 + ROW / 2.0 + 4.0, row);
        }
        for (panel_at, panel) in self.panels.iter().enumerate() {
            let left = MARGIN + LABELS + (width + GAP) * panel_at as f64;
            put(svg, "small", left, top + 22.0, &panel.title);
            let scale_max = panel.scale_max();
            for (at, bar) in panel.bars.iter().enumerate() {
                let y = top + 36.0 + ROW * at as f64 + (ROW - BAR) / 2.0;
                let own = self.rows.get(at).is_some_and(|(_, ours)| *ours);
                draw_bar(svg, (left, y), (width - VALUE, scale_max), *bar, own);
            }
        }
    }
}

impl Panel {
    /// What a bar as wide as the panel stands for. One contender far out would press all others against the left
    /// edge, where nobody could compare them: then the scale ends sooner, and that bar is drawn with a notch.
    fn scale_max(&self) -> f64 {
        let mut medians: Vec<f64> = self.bars.iter().flatten().map(|series| series.median).collect();
        medians.sort_by(f64::total_cmp);
        let longest = self.bars.iter().flatten().map(|series| series.high).fold(f64::MIN_POSITIVE, f64::max);
        match medians.as_slice() {
            [.., second, first] if *first > FAR_OUT * second => (second * FAR_OUT / 2.0).min(longest),
            _ => longest,
        }
    }
}

/// `scale`: how wide the panel's track is, and the figure that fills it.
fn draw_bar(svg: &mut String, (x, y): (f64, f64), (full, scale_max): (f64, f64), bar: Option<Series>, own: bool) {
    let _ = writeln!(
        svg,
        "<rect class=\"track\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{full:.1}\" height=\"{BAR}\" rx=\"2\"/>"
    );
    let Some(Series { median, low, high, count }) = bar else {
        put(svg, "small", x + 6.0, y + BAR - 3.0, "not measured");
        return;
    };
    let place = |value: f64| x + full * (value / scale_max).min(1.0);
    let class = if own { "bar own" } else { "bar" };
    let length = (place(median) - x).max(1.0);
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>"
    );
    if median > scale_max {
        let notch = x + full - 16.0;
        let _ = writeln!(
            svg,
            "<path class=\"notch\" d=\"M{notch:.1} {:.1}l5 -{}M{:.1} {:.1}l5 -{}\"/>",
            y + BAR + 1.0,
            BAR + 2.0,
            notch + 5.0,
            y + BAR + 1.0,
            BAR + 2.0
        );
    } else if count > 1 {
        let (from, to, middle) = (place(low), place(high), y + BAR / 2.0);
        let _ = writeln!(
            svg,
            "<path class=\"range\" d=\"M{from:.1} {middle:.1}H{to:.1}M{from:.1} {:.1}v6M{to:.1} {:.1}v6\"/>",
            middle - 3.0,
            middle - 3.0
        );
    }
    put(svg, if own { "value ours" } else { "value" }, place(high) + 6.0, y + BAR - 3.0, &figure(median));
}

fn put(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(text));
}

/// A figure as a person reads it: three digits are enough, and thousands are marked.
pub(crate) fn figure(value: f64) -> String {
    if value.abs() < 9.995 {
        format!("{value:.2}")
    } else if value.abs() < 99.95 {
        format!("{value:.1}")
    } else {
        let digits = format!("{value:.0}");
        let mut marked = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 {
                marked.push(',');
            }
            marked.push(digit);
        }
        marked
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Band, Chart, Panel, figure};
    use crate::report::results::Series;

    #[test]
    fn figures_are_short_and_marked() {
        let shown = [0.034, 9.99, 10.04, 99.94, 99.96, 999.4, 48_294.3, 1_234_567.0].map(figure);
        assert_eq!(shown, ["0.03", "9.99", "10.0", "99.9", "100", "999", "48,294", "1,234,567"]);
    }

    #[test]
    fn every_bar_stays_inside_its_panel_and_text_is_escaped() {
        let series = |median| Some(Series { median, low: median / 2.0, high: median * 2.0, count: 3 });
        let band = Band {
            title: "a < b & c".to_owned(),
            rows: vec![("one".to_owned(), false), ("two".to_owned(), true), ("three".to_owned(), false)],
            panels: vec![Panel { title: "1 session".to_owned(), bars: vec![series(1.0), series(200.0), None] }],
        };
        let svg = Chart { title: "t", subtitle: String::new(), bands: vec![band] }.svg();
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("not measured") && svg.contains("bar own"));
        let widths = svg.split("width=\"").skip(2).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok());
        assert!(widths.into_iter().all(|width| width < 880.0));
        assert_eq!(svg.matches("<rect").count(), 1 + 3 + 2);
    }
}
