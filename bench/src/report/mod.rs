//! The report of a run: `PERFORMANCE.md` and its charts, made from the results and from nothing else.

mod beside;
mod cells;
mod chart;
mod results;
mod tables;
#[cfg(test)]
mod tests;

use crate::load::{Era, Measured};
use crate::report::chart::{Band, Chart, Panel};
use crate::report::results::{Results, Series, cpu_us, throughput, title};
use anyhow::Context;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// `omni-bench report`
#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Results of a run: a file of JSON lines
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Directory in which PERFORMANCE.md and performance/ are written
    #[arg(long, value_name = "DIR", default_value = "docs")]
    docs: PathBuf,
}

/// Writes the report as the command line says.
pub(crate) fn write(args: &ReportArgs) -> anyhow::Result<()> {
    write_from(&args.from, &args.docs)
}

/// Writes the report of the results in `file` into `docs`.
pub(crate) fn write_from(file: &Path, docs: &Path) -> anyhow::Result<()> {
    let results = Results::read(file)?;
    let charts = docs.join("performance");
    fs::create_dir_all(&charts).with_context(|| format!("cannot make {}", charts.display()))?;
    let put = |path: PathBuf, text: String| {
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    put(charts.join("cpu-per-call.svg"), cpu_chart(&results).svg())?;
    put(charts.join("throughput.svg"), throughput_chart(&results).svg())?;
    put(docs.join("PERFORMANCE.md"), tables::document(&results))
}

/// How a bar is read.
const READING: &str = "bar: median, line: range";
/// What a notch says.
const NOTCHED: &str = "a notched bar is longer than drawn";

fn cpu_chart(results: &Results) -> Chart {
    Chart {
        title: "CPU time of the gateway for one tools/call, in µs (less is better)",
        subtitle: format!("{READING}; each panel has a scale of its own, {NOTCHED}"),
        bands: bands(results, cpu_us, |contender| contender != "direct"),
    }
}

fn throughput_chart(results: &Results) -> Chart {
    let on = &results.run.gateway_cpus;
    let cores =
        if on.is_empty() { "gateways not pinned" } else { "gateways on one core, load and upstream on another" };
    Chart {
        title: "Calls a second (more is better)",
        subtitle: format!("{READING}; {cores}; {NOTCHED}"),
        bands: bands(results, throughput, |_| true),
    }
}

fn bands(results: &Results, figure: fn(&Measured) -> Option<f64>, shown: fn(&str) -> bool) -> Vec<Band> {
    let workloads = results.workloads();
    let eras = [Era::Legacy, Era::Modern].into_iter().filter(|era| workloads.iter().any(|(known, _)| known == era));
    let band = |era: Era| {
        let contenders: Vec<&str> = results.contenders(era).into_iter().filter(|name| shown(name)).collect();
        let panel = |sessions: u32| -> Panel {
            let bars: Vec<Option<Series>> =
                contenders.iter().map(|name| results.series(name, (era, sessions), figure)).collect();
            Panel { title: tables::sessions_title(sessions), bars }
        };
        Band {
            title: era.revision().to_owned(),
            rows: contenders.iter().map(|name| (title(name).to_owned(), name.starts_with("omni"))).collect(),
            panels: workloads.iter().filter(|(known, _)| *known == era).map(|(_, sessions)| panel(*sessions)).collect(),
        }
    };
    eras.map(band).collect()
}
