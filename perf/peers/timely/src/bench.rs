//! One run: warms up, measures windows, stops the sources and says what came out.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const TASKS_MAX: usize = 64;

static PASSES: [AtomicU64; TASKS_MAX] = [const { AtomicU64::new(0) }; TASKS_MAX];
static LAST: AtomicU64 = AtomicU64::new(u64::MAX);
static PROCESSED: Mutex<Vec<&'static Counter>> = Mutex::new(Vec::new());
static SUMS: Mutex<Vec<&'static Counter>> = Mutex::new(Vec::new());
static RESULTS: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

/// The input of one source task: every n-th item of the data, again and again. All tasks make the
/// same number of passes, so that the counts at the end are those of one pass, so many times.
pub struct Feed {
    task: usize,
    tasks: usize,
    items: usize,
    pass: u64,
    at: usize,
}

impl Feed {
    pub fn new(task: usize, tasks: usize, items: usize) -> Self {
        Feed { task, tasks, items, pass: 0, at: task }
    }

    /// The index of the next item, or None when the run is over.
    #[inline]
    pub fn next(&mut self) -> Option<usize> {
        if self.at >= self.items {
            if self.pass >= LAST.load(Relaxed) {
                return None;
            }
            self.pass += 1;
            PASSES[self.task].store(self.pass, Relaxed);
            self.at = self.task;
        }
        let index = self.at;
        self.at += self.tasks;
        Some(index)
    }

    /// The pass that the last item belongs to, from 0.
    pub fn pass(&self) -> u64 {
        self.pass
    }
}

/// A number that one worker writes and the main thread reads, alone on its cache lines.
#[repr(align(128))]
pub struct Counter(AtomicU64);

impl Counter {
    fn new(all: &Mutex<Vec<&'static Counter>>) -> &'static Self {
        let counter: &'static Self = Box::leak(Box::new(Counter(AtomicU64::new(0))));
        all.lock().unwrap().push(counter);
        counter
    }

    /// Counts what the workload is measured in: messages, words or events.
    pub fn processed() -> &'static Self {
        Self::new(&PROCESSED)
    }

    /// Adds up the numbers that reached the sink of b1.
    pub fn sum() -> &'static Self {
        Self::new(&SUMS)
    }

    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }
}

fn total(counters: &Mutex<Vec<&'static Counter>>) -> u64 {
    counters.lock().unwrap().iter().map(|counter| counter.0.load(Relaxed)).sum()
}

/// Parts of the workload's result.
pub fn results(counts: impl IntoIterator<Item = (String, u64)>) {
    let mut results = RESULTS.lock().unwrap();
    let results = results.get_or_insert_with(HashMap::new);
    for (key, count) in counts {
        *results.entry(key).or_insert(0) += count;
    }
}

pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}

fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours, and the clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)).map_or(0, |kb| kb.parse().unwrap_or(0))
        * 1024
}

/// The moments between windows, and when the first message was through.
pub struct Windows {
    start_seconds: f64,
    marks: Vec<(u64, Instant, u64)>,
    rss_bytes: u64,
}

pub fn measure() -> Windows {
    while total(&PROCESSED) == 0 {
        sleep(Duration::from_micros(100));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let start_seconds = now - setting("LAUNCHED_MS", 0) as f64 / 1e3;
    sleep(Duration::from_millis(setting("WARM_MS", 1000)));
    let mut marks = Vec::new();
    for _ in 0..setting("WINDOWS", 3) {
        marks.push((total(&PROCESSED), Instant::now(), cpu_ns()));
        sleep(Duration::from_millis(setting("WINDOW_MS", 3000)));
    }
    marks.push((total(&PROCESSED), Instant::now(), cpu_ns()));
    let furthest = PASSES.iter().map(|pass| pass.load(Relaxed)).max().unwrap_or(0);
    LAST.store(furthest + 1, Relaxed);
    Windows { start_seconds, marks, rss_bytes: rss_bytes() }
}

pub fn report(workload: &str, windows: &Windows, counts: &str) {
    if workload.starts_with("b1") {
        results([("sum".to_string(), total(&SUMS))]);
    }
    let mut file = std::io::BufWriter::new(std::fs::File::create(counts).expect(counts));
    for (key, count) in RESULTS.lock().unwrap().iter().flatten() {
        writeln!(file, "{key}\t{count}").expect(counts);
    }
    file.flush().expect(counts);
    let (first, last) = (&windows.marks[0], &windows.marks[windows.marks.len() - 1]);
    let rates: Vec<String> = windows
        .marks
        .windows(2)
        .map(|mark| {
            let seconds = (mark[1].1 - mark[0].1).as_secs_f64();
            format!("{:.0}", (mark[1].0 - mark[0].0) as f64 / seconds)
        })
        .collect();
    let items = last.0 - first.0;
    println!(
        "{{\"items\": {items}, \"seconds\": {:.3}, \"windows\": [{}], \"passes\": {}, \
         \"total\": {}, \"cpu_ns_per_message\": {:.2}, \"rss_bytes\": {}, \
         \"start_seconds\": {:.4}}}",
        (last.1 - first.1).as_secs_f64(),
        rates.join(", "),
        LAST.load(Relaxed) + 1,
        total(&PROCESSED),
        (last.2 - first.2) as f64 / items as f64,
        windows.rss_bytes,
        windows.start_seconds
    );
}
