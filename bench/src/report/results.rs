//! The rows of a run, read back, and what is asked of them: medians with ranges, and ratios inside blocks.

use crate::load::idle::Idled;
use crate::load::{Era, Measured};
use crate::run::rows::{Row, Run, Start};
use anyhow::Context;
use std::fs;
use std::path::Path;

/// The contenders in the order they are shown, and what they are called.
const NAMES: [(&str, &str); 6] = [
    ("direct", "direct, no gateway"),
    ("rawproxy", "bare hyper proxy"),
    ("nginx", "nginx"),
    ("omni", "omni, one server"),
    ("omni-all", "omni, all servers"),
    ("mcp-proxy", "mcp-proxy (Rust)"),
];

/// What a contender is called.
pub(crate) fn title(contender: &str) -> &str {
    NAMES.iter().find(|(name, _)| *name == contender).map_or(contender, |(_, title)| title)
}

/// Median and range of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) count: usize,
}

impl Series {
    /// Of all figures; `None` of none.
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let (low, high, count) = (*figures.first()?, *figures.last()?, figures.len());
        let median = f64::midpoint(figures[(count - 1) / 2], figures[count / 2]);
        Some(Self { median, low, high, count })
    }
}

/// One measurement of calls.
pub(crate) struct Call {
    block: usize,
    contender: String,
    pub(crate) measured: Measured,
}

/// One measurement of a case.
pub(crate) struct CaseRow {
    pub(crate) case: String,
    pub(crate) round: usize,
    pub(crate) contender: String,
    pub(crate) measured: Measured,
}

/// Everything a run has found.
pub(crate) struct Results {
    pub(crate) run: Run,
    pub(crate) absent: Vec<(String, Option<Era>, String)>,
    pub(crate) starts: Vec<Start>,
    pub(crate) calls: Vec<Call>,
    pub(crate) failed: Vec<(String, String)>,
    pub(crate) cases: Vec<CaseRow>,
    pub(crate) idles: Vec<(String, Idled)>,
    pub(crate) load_average_after: String,
    pub(crate) minutes: f64,
}

impl Results {
    /// Reads a file of JSON lines.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let rows = text.lines().enumerate().map(|(at, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}, line {}: not a row of results", file.display(), at + 1))
        });
        Self::of(rows.collect::<anyhow::Result<_>>()?)
    }

    /// Sorts the rows.
    pub(crate) fn of(rows: Vec<Row>) -> anyhow::Result<Self> {
        let mut rows = rows.into_iter();
        let Some(Row::Run(run)) = rows.next() else { anyhow::bail!("the first row does not say what was run") };
        let (absent, starts, calls, failed, cases, idles) = Default::default();
        let mut results =
            Self { run, absent, starts, calls, failed, cases, idles, load_average_after: String::new(), minutes: 0.0 };
        for row in rows {
            match row {
                Row::Run(_) => anyhow::bail!("the results of two runs in one file"),
                Row::Absent { contender, era, why } => results.absent.push((contender, era, why)),
                Row::Start(start) => results.starts.push(start),
                Row::Call { block, contender, measured, .. } => results.calls.push(Call { block, contender, measured }),
                Row::Case { case, round, contender, measured } => {
                    results.cases.push(CaseRow { case, round, contender, measured });
                }
                Row::Idle { contender, idled } => results.idles.push((contender, idled)),
                Row::Failed { contender, why, .. } => results.failed.push((contender, why)),
                Row::End { load_average, minutes } => {
                    results.load_average_after = load_average;
                    results.minutes = minutes;
                }
            }
        }
        Ok(results)
    }

    /// Eras and session counts that were measured, sorted.
    pub(crate) fn workloads(&self) -> Vec<(Era, u32)> {
        let mut all: Vec<_> = self.calls.iter().map(|call| (call.measured.era, call.measured.sessions)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Contenders with figures in an era, in the order they are shown; unknown ones last.
    pub(crate) fn contenders(&self, era: Era) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.calls.iter().filter(|call| call.measured.era == era).map(|call| call.contender.as_str()).collect();
        let place = |name: &str| NAMES.iter().position(|(known, _)| *known == name).unwrap_or(NAMES.len());
        all.sort_unstable_by_key(|name| (place(name), *name));
        all.dedup();
        all
    }

    /// The measurements of a contender under a workload.
    pub(crate) fn of_contender<'a>(
        &'a self,
        contender: &'a str,
        workload: (Era, u32),
    ) -> impl Iterator<Item = &'a Call> {
        let matches =
            move |call: &&Call| call.contender == contender && (call.measured.era, call.measured.sessions) == workload;
        self.calls.iter().filter(matches)
    }

    /// A figure over all rounds.
    pub(crate) fn series(
        &self,
        contender: &str,
        workload: (Era, u32),
        figure: fn(&Measured) -> Option<f64>,
    ) -> Option<Series> {
        Series::of(self.of_contender(contender, workload).filter_map(|call| figure(&call.measured)))
    }

    /// A figure as a multiple of another contender's in the same block.
    pub(crate) fn ratio(
        &self,
        contender: &str,
        to: &str,
        workload: (Era, u32),
        figure: fn(&Measured) -> Option<f64>,
    ) -> Option<Series> {
        Series::of(self.of_contender(contender, workload).filter_map(|call| {
            let other = self.of_contender(to, workload).find(|other| other.block == call.block)?;
            let (mine, theirs) = (figure(&call.measured)?, figure(&other.measured)?);
            (theirs > 0.0).then_some(mine / theirs)
        }))
    }

    /// What the hub adds to the 99th percentile of calls without a gateway, as a multiple of what nginx adds.
    pub(crate) fn added_p99(&self, workload: (Era, u32)) -> Option<Series> {
        let of = |name: &'static str, block| {
            let call = self.of_contender(name, workload).find(|call| call.block == block)?;
            Some(call.measured.p99_us)
        };
        Series::of(self.of_contender("omni", workload).filter_map(|call| {
            let (straight, nginx) = (of("direct", call.block)?, of("nginx", call.block)?);
            (nginx > straight).then(|| (call.measured.p99_us - straight) / (nginx - straight))
        }))
    }

    /// A figure of the starts of a gateway.
    pub(crate) fn start_series(&self, contender: &str, warm: bool, figure: fn(&Start) -> f64) -> Option<Series> {
        Series::of(self.starts.iter().filter(|start| start.contender == contender && start.warm == warm).map(figure))
    }

    /// Gateways that were started, in the order they are shown.
    pub(crate) fn started(&self) -> Vec<(&str, bool)> {
        let mut found = Vec::new();
        for (name, _) in NAMES {
            found.extend([false, true].map(|warm| (name, warm)));
        }
        found.retain(|(name, warm)| self.starts.iter().any(|start| start.contender == *name && start.warm == *warm));
        found
    }
}

/// CPU time of the gateway for one call, in µs.
pub(crate) fn cpu_us(measured: &Measured) -> Option<f64> {
    measured.watched.iter().find(|watched| watched.name == "gateway").map(|watched| watched.cpu_us_per_call)
}

/// CPUs the gateway kept busy.
pub(crate) fn busy(measured: &Measured) -> Option<f64> {
    measured.watched.iter().find(|watched| watched.name == "gateway").map(|watched| watched.cpus)
}

/// Resident memory of the gateway at the end of the measurement, in MiB.
pub(crate) fn rss_mib(measured: &Measured) -> Option<f64> {
    let gateway = measured.watched.iter().find(|watched| watched.name == "gateway");
    gateway.map(|watched| watched.rss_kib as f64 / 1024.0)
}

/// Good answers a second.
pub(crate) fn throughput(measured: &Measured) -> Option<f64> {
    Some(measured.calls_per_s)
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let series = Series::of([4.0, 1.0, 3.0, 2.0].into_iter());
        assert_eq!(series, Some(Series { median: 2.5, low: 1.0, high: 4.0, count: 4 }));
        assert_eq!(Series::of([7.0].into_iter()).map(|s| s.median), Some(7.0));
        assert_eq!(Series::of(std::iter::empty()), None);
    }
}
