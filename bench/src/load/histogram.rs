//! Latencies in buckets whose width grows with the value: every quantile is right to 1 %, in 30 KiB whatever is recorded.

/// A power of two is split into so many buckets (as a power of two itself).
const SPLIT_BITS: u32 = 6;
const SPLIT: u64 = 1 << SPLIT_BITS;

/// Counts of nanoseconds.
#[derive(Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

impl Histogram {
    /// With nothing in it.
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], count: 0, max_ns: 0 }
    }

    /// Counts one latency.
    pub(crate) fn record(&mut self, ns: u64) {
        self.buckets[bucket(ns)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds what another has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The longest, exactly, in µs.
    pub(crate) fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1e3
    }

    /// The latency that `share` of all do not exceed, in µs; 0 if nothing was counted.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return middle(at).min(self.max_ns as f64) / 1e3;
            }
        }
        0.0
    }
}

/// The bucket of a value: values below `2 * SPLIT` have one each, each further power of two has `SPLIT`.
fn bucket(ns: u64) -> usize {
    let shift = (63 - (ns | 1).leading_zeros()).saturating_sub(SPLIT_BITS);
    (u64::from(shift) * SPLIT + (ns >> shift)) as usize
}

/// The middle of a bucket's values.
fn middle(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    let shift = (bucket / SPLIT).saturating_sub(1);
    let low = (bucket - shift * SPLIT) << shift;
    low as f64 + ((1_u64 << shift) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, middle};

    #[test]
    fn every_value_is_found_again_within_one_percent() {
        for exponent in 0..40 {
            for step in [0_u64, 1, 3, 7] {
                let ns = (1_u64 << exponent) + step * (1 << exponent) / 8;
                let error = (middle(bucket(ns)) - ns as f64).abs() / ns as f64;
                assert!(error <= 0.01, "{ns} ns is read back as {}", middle(bucket(ns)));
            }
        }
    }

    #[test]
    fn quantiles_of_a_known_series() {
        let (mut low, mut high) = (Histogram::new(), Histogram::new());
        (1..=500).for_each(|us| low.record(us * 1000));
        (501..=1000).for_each(|us| high.record(us * 1000));
        low.add(&high);
        assert_eq!(low.count(), 1000);
        for (share, expected) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0)] {
            let got = low.quantile_us(share);
            assert!((got - expected).abs() <= expected * 0.01, "{share}: {got}");
        }
        assert!((low.max_us() - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert!(Histogram::new().quantile_us(0.5).abs() < f64::EPSILON);
    }
}
