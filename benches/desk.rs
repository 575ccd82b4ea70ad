//! What one presence change costs in a small queue and in a big one, what it costs to count it, and for how long a look at
//! everybody holds up the engine: `cargo bench --bench desk`.

#![expect(clippy::disallowed_methods, reason = "a benchmark starts its own clock")]

mod world;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rosterd::{
    domain::{Census, Merge, Name, Policy, Show},
    metrics::{Metrics, Stanza},
};

fn presence_change(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut desk = world::empty(now);
    world::fill(&mut desk, now);
    let mut group = criterion.benchmark_group("one presence change, by operators of the queue");
    for (operators, first) in [(world::SMALL, world::BIG), (world::BIG, 0)] {
        let users: Vec<_> = (first..first + world::SMALL).map(world::jid).collect();
        group.bench_function(BenchmarkId::from_parameter(operators), |bencher| {
            let mut turn = 0_usize;
            bencher.iter(|| {
                turn += 1;
                let user = users[turn % users.len()].clone();
                // Each user is somewhere else in the circle of shows at each of their turns, so every one is a change.
                desk.apply(world::seen(user, Show::ALL[turn / users.len() % 5]), now)
            });
        });
    }
    group.finish();

    let name = Name::parse("queue-0", 60).expect("it is a name");
    criterion.bench_function("read of the show of the big queue", |bencher| {
        bencher.iter(|| desk.queue_by_name(&name).map(|view| view.published));
    });
}

/// How many users are counted with one hold of the lock, as `engine/watched.rs` has it.
const COUNTED_AT_ONCE: usize = 2_048;

/// The same change without and with all that the link and the engine count of it, where nothing shares a step; and what it takes
/// to count everybody.
fn counting(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut desk = world::empty(now);
    world::fill(&mut desk, now);
    let users: Vec<_> = (world::BIG..world::BIG + world::SMALL).map(world::jid).collect();
    let metrics = Metrics::default();
    let stanza = b"<presence from='ann@example.org/desk' to='staffing@queues.example.org'><show>away</show></presence>";
    let mut group = criterion.benchmark_group("one presence change");
    for is_counted in [false, true] {
        let name = if is_counted { "counted" } else { "not counted" };
        group.bench_function(name, |bencher| {
            let mut turn = 0_usize;
            bencher.iter(|| {
                turn += 1;
                let user = users[turn % users.len()].clone();
                let began = is_counted.then(Instant::now);
                let events = desk.apply(world::seen(user, Show::ALL[turn / users.len() % 5]), now);
                if let Some(began) = began {
                    metrics.link().received(Stanza::written(std::hint::black_box(stanza)));
                    metrics.link().sent(Stanza::named(std::hint::black_box("presence")));
                    metrics.engine().published(1);
                    metrics.engine().waiting(0, 0);
                    metrics.engine().outbox(1);
                    metrics.engine().worked(began.elapsed());
                }
                events
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("count users");
    group.bench_function("with one hold of the lock", |bencher| {
        let mut after = None;
        bencher.iter(|| {
            let mut census = Census::default();
            after = desk.count_users(after, COUNTED_AT_ONCE, &mut census);
            census
        });
    });
    group.sample_size(10);
    group.bench_function("all", |bencher| {
        bencher.iter(|| {
            let (mut census, mut after) = (Census::default(), None);
            while let Some(last) = desk.count_users(after, COUNTED_AT_ONCE, &mut census) {
                after = Some(last);
            }
            census
        });
    });
    group.finish();

    // What a reload holds the desk's lock for.
    let mut group = criterion.benchmark_group("take over another policy");
    group.sample_size(10);
    group.bench_function("merge", |bencher| {
        let mut turn = 0_usize;
        bencher.iter(|| {
            turn += 1;
            let merge = [Merge::HighestPriority, Merge::MostAvailable][turn % 2];
            let policy = Policy { merge, ..desk.policy().clone() };
            desk.set_policy(policy, now)
        });
    });
    group.bench_function("ping_after", |bencher| {
        let mut turn = 0_u64;
        bencher.iter(|| {
            turn += 1;
            let ping_after = Some(Duration::from_secs(600 + turn % 2));
            let policy = Policy { ping_after, ..desk.policy().clone() };
            desk.set_policy(policy, now)
        });
    });
    group.finish();
}

criterion_group!(benches, presence_change, counting);
criterion_main!(benches);
