//! Wall-clock speed of the wire layer and of what it is compared with.

mod support;

use cot_core::{Limits, Scanner};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::Corpus;

fn codec(criterion: &mut Criterion) {
    let mix = Corpus::mix();
    let mut scanner = Scanner::new(Limits::default());
    let mut group = criterion.benchmark_group("mix");
    group.throughput(Throughput::Bytes(mix.stream.len() as u64)).sample_size(20);
    group.bench_function("frame, validate, route", |bencher| {
        bencher.iter(|| support::tinycot(&mut scanner, &mix.stream, 16 << 10));
    });
    group.bench_function("validate, route", |bencher| {
        bencher.iter(|| support::scan(&mut scanner, &mix.events));
    });
    group.bench_function("memmem", |bencher| {
        bencher.iter(|| support::bare_memmem(&mix.stream));
    });
    group.bench_function("quick-xml, events", |bencher| {
        bencher.iter(|| support::quick_xml(&mix.events, false));
    });
    group.bench_function("quick-xml, events and attributes", |bencher| {
        bencher.iter(|| support::quick_xml(&mix.events, true));
    });
    group.bench_function("roxmltree", |bencher| {
        bencher.iter(|| support::roxmltree(&mix.events));
    });
    group.finish();

    let mut group = criterion.benchmark_group("worst");
    for (name, stream) in support::worst_cases() {
        let mut scanner = support::lenient();
        group.throughput(Throughput::Bytes(stream.len() as u64)).sample_size(10);
        group.bench_function(name, |bencher| {
            bencher.iter(|| support::tinycot(&mut scanner, &stream, 16 << 10));
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
