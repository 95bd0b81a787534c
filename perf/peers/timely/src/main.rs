//! The workloads on Timely dataflow: two workers in one process, its best way: no allocation for a
//! message or a short word, hashes computed once, fat LTO for this machine's processor.
//!
//! usage: timely-peer WORKLOAD COUNTS [TEXT [ADS]]
//! Prints the result as one JSON object; COUNTS gets what was counted. WARM_MS, WINDOW_MS,
//! WINDOWS, WORKERS and LAUNCHED_MS are taken from the environment.

mod bench;
mod data;

use bench::{Counter, Feed};
use compact_str::CompactString;
use data::{Data, Event, Message, LATE_MS, WINDOW_MS};
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::operator::{source, Operator};
use timely::dataflow::operators::generic::OutputBuilderSession;
use timely::dataflow::operators::probe::{Handle, Probe};
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::Exchange as _;
use timely::dataflow::{Scope, StreamVec};
use timely::worker::Worker;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Items that a source sends before other operators get their turn.
const BURST: usize = 8192;
/// How many timestamps a source may be ahead of the sink.
const AHEAD: u64 = 4;

type Stream<'scope, T> = StreamVec<'scope, u64, T>;
/// The output of what has none.
type Nothing<'a> = OutputBuilderSession<'a, u64, CapacityContainerBuilder<Vec<()>>>;

/// Sends items of the feed. Its timestamps count bursts, unless `time` knows better: the least
/// timestamp that later items may have.
fn items<'scope, T: 'static>(
    scope: Scope<'scope, u64>,
    task: usize,
    tasks: usize,
    done: Handle<u64>,
    mut item: impl FnMut(usize, u64) -> T + 'static,
    mut time: impl FnMut(&T) -> Option<u64> + 'static,
) -> Stream<'scope, T> {
    source(scope, "items", |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        let mut feed = Feed::new(task, tasks, data::get().items());
        move |output| {
            let Some(held) = capability.as_mut() else { return };
            activator.activate();
            let now = *held.time();
            if done.less_than(&now.saturating_sub(AHEAD)) {
                return;
            }
            let mut next = None;
            let mut session = output.session(&held);
            for _ in 0..BURST {
                let Some(index) = feed.next() else {
                    drop(session);
                    capability = None;
                    return;
                };
                let message = item(index, feed.pass());
                next = next.max(time(&message));
                session.give(message);
            }
            drop(session);
            held.downgrade(&next.unwrap_or(now + 1).max(now));
        }
    })
}

/// b1: passes messages on, and adds up their numbers.
fn b1<'scope>(messages: Stream<'scope, Message>, hop: bool) -> Stream<'scope, ()> {
    let processed = Counter::processed();
    let sum = Counter::sum();
    let route = move |messages: Stream<'scope, Message>, far: u64| {
        if hop { messages.exchange(move |message| message[0] + far) } else { messages }
    };
    let same = route(messages, 1).map(|message| message).container::<Vec<_>>();
    route(same, 0).unary(Pipeline, "sink", move |_, _| {
        move |input, _output: &mut Nothing<'_>| {
            input.for_each(|_, messages| {
                sum.add(messages.iter().map(|message| message[0]).sum());
                processed.add(messages.len() as u64);
            })
        }
    })
}

/// b2: counts by key.
fn b2(messages: Stream<'_, Message>) -> Stream<'_, ()> {
    let processed = Counter::processed();
    let mut counts = Table::<u64, FxBuildHasher>::default();
    messages.unary(Exchange::new(|message: &Message| message[0]), "count", move |_, _| {
        move |input, _output: &mut Nothing<'_>| {
            input.for_each(|_, messages| {
                for message in messages.iter() {
                    *counts.0.entry(message[0]).or_insert(0) += 1;
                }
                processed.add(messages.len() as u64);
            })
        }
    })
}

/// Counts that are told when the operator that owns them ends.
struct Table<K: ToString, S>(HashMap<K, u64, S>);

impl<K: ToString, S: Default> Default for Table<K, S> {
    fn default() -> Self {
        Table(HashMap::default())
    }
}

impl<K: ToString, S> Drop for Table<K, S> {
    fn drop(&mut self) {
        bench::results(self.0.iter().map(|(key, count)| (key.to_string(), *count)));
    }
}

/// A word with its hash, which routes it and finds it in the table.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Word {
    hash: u64,
    text: CompactString,
}

impl Word {
    fn new(text: &str) -> Self {
        let mut hasher = FxBuildHasher.build_hasher();
        hasher.write(text.as_bytes());
        Word { hash: hasher.finish(), text: CompactString::new(text) }
    }
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

#[allow(clippy::to_string_trait_impl)]
impl ToString for Word {
    fn to_string(&self) -> String {
        self.text.to_string()
    }
}

/// What a word's hash goes through in the table: nothing.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("only words are hashed");
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// b3: splits lines into words and counts these.
fn b3<'scope>(lines: Stream<'scope, &'static str>) -> Stream<'scope, ()> {
    let processed = Counter::processed();
    let mut counts = Table::<Word, BuildHasherDefault<Hashed>>::default();
    lines
        .flat_map(|line| line.split_ascii_whitespace().map(Word::new))
        .container::<Vec<_>>()
        .unary(Exchange::new(|word: &Word| word.hash >> 20), "count", move |_, _| {
            move |input, _output: &mut Nothing<'_>| {
                input.for_each(|_, words| {
                    processed.add(words.len() as u64);
                    for word in words.drain(..) {
                        *counts.0.entry(word).or_insert(0) += 1;
                    }
                })
            }
        })
}

/// b4: parses, filters, projects, joins, and counts by campaign in windows of event time; a window
/// is told when no earlier event can come any more.
fn b4(events: Stream<'_, Event>) -> Stream<'_, ()> {
    let processed = Counter::processed();
    let data = data::get();
    let views = events.unary(Pipeline, "views", move |_, _| {
        move |input, output| {
            input.for_each_stamp(|capability, batches| {
                let mut session = output.session(&capability);
                for events in batches {
                    processed.add(events.len() as u64);
                    session.give_iterator(events.drain(..).filter_map(|event| data.view(event)));
                }
            })
        }
    });
    let route = Exchange::new(|&(campaign, _): &(u32, u64)| u64::from(campaign));
    views.container::<Vec<(u32, u64)>>().unary_frontier(route, "count", move |_, _| {
        let mut windows = FxHashMap::<u64, Vec<u64>>::default();
        move |(input, frontier), _output: &mut Nothing<'_>| {
            input.for_each(|_, views| {
                for (campaign, time) in views.drain(..) {
                    let counts = windows
                        .entry(time / WINDOW_MS)
                        .or_insert_with(|| vec![0; data.campaigns()]);
                    counts[campaign as usize] += 1;
                }
            });
            windows.retain(|window, counts| {
                let open = frontier.less_equal(window);
                if !open {
                    bench::results(data.cells(*window, counts));
                }
                open
            });
        }
    })
}

fn build(worker: &mut Worker, workload: &str) {
    let (task, tasks) = (worker.index(), worker.peers());
    let data: &'static Data = data::get();
    worker.dataflow::<u64, _, _>(|scope| {
        let done = Handle::new();
        let ahead = done.clone();
        let message = |index: usize, _| [index as u64, 0, 0, 0, 0, 0, 0, 0];
        let keyed = |index: usize, _| [data::key(index), 0, 0, 0, 0, 0, 0, 0];
        let end = match workload {
            "b1" | "b1-hop" => b1(
                items(scope, task, tasks, ahead, message, |_| None),
                workload == "b1-hop",
            ),
            "b2" => b2(items(scope, task, tasks, ahead, keyed, |_| None)),
            "b4" => b4(items(
                scope,
                task,
                tasks,
                ahead,
                |index, pass| data.event(index, pass),
                |event| Some((event.time_ms - LATE_MS) / WINDOW_MS),
            )),
            _ => b3(items(scope, task, tasks, ahead, |index, _| data.line(index), |_| None)),
        };
        end.container::<Vec<_>>().probe_with(&done);
    });
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let workload = arguments[1].clone();
    data::load(&workload, &arguments[3..]);
    let workers = bench::setting("WORKERS", 2) as usize;
    let started = workload.clone();
    let guards = timely::execute(timely::Config::process(workers), move |worker| {
        build(worker, &started);
    })
    .expect("timely does not start");
    let windows = bench::measure();
    drop(guards);
    bench::report(&workload, &windows, &arguments[2]);
}
