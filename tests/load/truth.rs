//! What may be answered at each moment.

use std::sync::Mutex;

/// What every queue showed, shows, and may show.
pub(crate) struct Truth(Vec<Mutex<Line>>);

/// One queue's shows, oldest first.
struct Line {
    shows: Vec<String>,
    /// The last one that is known to be shown; those after it may be.
    settled: usize,
}

impl Truth {
    pub(crate) fn new(queues: u32, show: &str) -> Self {
        let line = || Mutex::new(Line { shows: vec![show.to_owned()], settled: 0 });
        Self((0..queues).map(|_| line()).collect())
    }

    fn line(&self, queue: u32) -> std::sync::MutexGuard<'_, Line> {
        self.0[usize::try_from(queue).unwrap()].lock().unwrap()
    }

    /// From now on it may show this.
    pub(crate) fn may_become(&self, queue: u32, show: &str) {
        self.line(queue).shows.push(show.to_owned());
    }

    /// From now on it shows what it may show.
    pub(crate) fn became(&self, queue: u32) {
        let mut line = self.line(queue);
        line.settled = line.shows.len() - 1;
    }

    /// Begins to ask.
    pub(crate) fn ask(&self, queue: u32) -> usize {
        self.line(queue).settled
    }

    /// Fails unless `show` was true at some moment since `asked`.
    pub(crate) fn check(&self, queue: u32, asked: usize, show: &str) {
        let line = self.line(queue);
        let may = &line.shows[asked..];
        assert!(may.iter().any(|may| may == show), "q{queue} was said to be {show}, where it was {may:?}");
    }
}

#[test]
#[should_panic(expected = "q0 was said to be away")]
fn what_is_no_longer_true_is_seen() {
    let truth = Truth::new(1, "away");
    truth.may_become(0, "dnd");
    truth.check(0, truth.ask(0), "away");
    truth.became(0);
    truth.check(0, truth.ask(0), "away");
}
