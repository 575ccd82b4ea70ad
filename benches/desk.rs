//! What one presence change costs in a small queue and in a big one: `cargo bench --bench desk`.

#![expect(clippy::disallowed_methods, reason = "a benchmark starts its own clock")]

mod world;

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rosterd::domain::{Name, Show};

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

criterion_group!(benches, presence_change);
criterion_main!(benches);
