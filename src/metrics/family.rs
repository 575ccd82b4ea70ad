//! What a metric is called, what it tells, and how it is made.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::Collector,
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

/// Why nothing here can fail: names, labels and bounds are written down in this room, and a test makes all of them.
const SOUND: &str = "the families are sound, and each is registered once";

/// How a family is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows, from the start of the process on.
    Counter,
    /// It is what is.
    Gauge,
    /// How often something took how long, with these bounds in seconds.
    Histogram(&'static [f64]),
}

/// A metric, with all of its series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    /// Its name, with its unit.
    pub name: &'static str,
    /// How it is read.
    pub kind: Kind,
    /// What it tells.
    pub help: &'static str,
    /// What its series differ in.
    pub labels: &'static [&'static str],
}

impl Family {
    pub(super) const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self { name, kind: Kind::Counter, help, labels }
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self { name, kind: Kind::Gauge, help, labels }
    }

    pub(super) const fn histogram(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        bounds: &'static [f64],
    ) -> Self {
        Self { name, kind: Kind::Histogram(bounds), help, labels }
    }

    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    /// One counter.
    pub(super) fn count(&self, registry: &Registry) -> IntCounter {
        registered(registry, IntCounter::with_opts(self.opts()).expect(SOUND))
    }

    /// A counter for each set of labels.
    pub(super) fn counts(&self, registry: &Registry) -> IntCounterVec {
        registered(registry, IntCounterVec::new(self.opts(), self.labels).expect(SOUND))
    }

    /// A counter for each of these values of the one label: all are there from the start, and found without a search.
    pub(super) fn count_each<const N: usize>(&self, registry: &Registry, values: [&str; N]) -> [IntCounter; N] {
        let all = self.counts(registry);
        values.map(|value| all.with_label_values(&[value]))
    }

    /// One gauge.
    pub(super) fn level(&self, registry: &Registry) -> IntGauge {
        registered(registry, IntGauge::with_opts(self.opts()).expect(SOUND))
    }

    /// A gauge for each of these values of the one label.
    pub(super) fn level_each<const N: usize>(&self, registry: &Registry, values: [&str; N]) -> [IntGauge; N] {
        let all = registered(registry, IntGaugeVec::new(self.opts(), self.labels).expect(SOUND));
        values.map(|value| all.with_label_values(&[value]))
    }

    /// One histogram.
    pub(super) fn times(&self, registry: &Registry) -> Histogram {
        registered(registry, Histogram::with_opts(self.bounded()).expect(SOUND))
    }

    /// A histogram for each of these values of the one label.
    pub(super) fn times_each<const N: usize>(&self, registry: &Registry, values: [&str; N]) -> [Histogram; N] {
        let all = registered(registry, HistogramVec::new(self.bounded(), self.labels).expect(SOUND));
        values.map(|value| all.with_label_values(&[value]))
    }

    fn bounded(&self) -> HistogramOpts {
        let bounds = match self.kind {
            Kind::Histogram(bounds) => bounds.to_vec(),
            Kind::Counter | Kind::Gauge => Vec::new(),
        };
        HistogramOpts { common_opts: self.opts(), buckets: bounds }
    }

    /// What it is at this moment, with the values of the labels; `None` where there is no series.
    pub(super) fn now<'a, const N: usize>(
        &self,
        series: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) -> Option<MetricFamily> {
        let metrics: Vec<_> = series.into_iter().map(|(values, value)| self.series(&values, value)).collect();
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        let is_counter = matches!(self.kind, Kind::Counter);
        family.set_field_type(if is_counter { MetricType::COUNTER } else { MetricType::GAUGE });
        let is_there = !metrics.is_empty();
        family.set_metric(metrics);
        is_there.then_some(family)
    }

    fn series(&self, values: &[&str], value: f64) -> Metric {
        let pair = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        let mut metric = Metric::from_label(self.labels.iter().zip(values).map(pair).collect());
        if matches!(self.kind, Kind::Counter) {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        metric
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
    registry.register(Box::new(collector.clone())).expect(SOUND);
    collector
}

/// A count as samples are: whole numbers are exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "nothing here is counted to 2^53")]
pub(super) const fn sample(count: u64) -> f64 {
    count as f64
}

/// The same of what is in memory.
pub(super) fn size(count: usize) -> f64 {
    sample(u64::try_from(count).unwrap_or(u64::MAX))
}
