//! What the sources send, the same for every peer: numbers, keys, lines and events.

use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::sync::OnceLock;

/// 64 bytes, of which the first 8 are a number or a key.
pub type Message = [u64; 8];
pub const WINDOW_MS: u64 = 10_000;
pub const LATE_MS: u64 = 100;

const NUMBERS: usize = 1 << 22;
const KEYS: u64 = 1_000_000;

static DATA: OnceLock<Data> = OnceLock::new();

/// An event of one pass: times go on from one pass to the next.
#[derive(Clone, Copy)]
pub struct Event {
    text: &'static str,
    shift_ms: u64,
    /// As its source knows it, which says how far time has come.
    pub time_ms: u64,
}

/// What is needed of an event's text.
#[derive(Deserialize)]
struct Fields<'a> {
    ad_id: &'a str,
    event_type: &'a str,
    event_time: &'a str,
}

#[derive(Default)]
pub struct Data {
    lines: Vec<&'static str>,
    times: Vec<u64>,
    span_ms: u64,
    ads: FxHashMap<&'static str, u32>,
    campaigns: Vec<&'static str>,
}

pub fn get() -> &'static Data {
    DATA.get().expect("nothing is loaded")
}

pub fn load(workload: &str, files: &[String]) {
    let mut data = Data::default();
    if let Some(text) = files.first() {
        data.lines = read(text).lines().collect();
    }
    if workload == "b4" {
        data.load_ads(read(&files[1]));
        data.load_times();
    }
    assert!(DATA.set(data).is_ok(), "loaded twice");
}

fn read(path: &str) -> &'static str {
    std::fs::read_to_string(path).expect(path).leak()
}

/// The key of a message: what the generate node with `keys: {kind: uniform}` draws for it.
#[inline]
pub fn key(index: usize) -> u64 {
    let step = (index as u64 + 1).wrapping_mul(0x9e3779b97f4a7c15);
    let mut bits = (1u64 ^ 0x6b6579).wrapping_add(step);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58476d1ce4e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d049bb133111eb);
    bits ^= bits >> 31;
    ((bits >> 32) * KEYS) >> 32
}

impl Data {
    /// How many items one pass has.
    pub fn items(&self) -> usize {
        if self.lines.is_empty() { NUMBERS } else { self.lines.len() }
    }

    pub fn line(&self, index: usize) -> &'static str {
        self.lines[index]
    }

    pub fn event(&self, index: usize, pass: u64) -> Event {
        let shift_ms = pass * self.span_ms;
        Event { text: self.lines[index], shift_ms, time_ms: self.times[index] + shift_ms }
    }

    /// Campaign and time of an event that is a view; the whole event is parsed.
    #[inline]
    pub fn view(&self, event: Event) -> Option<(u32, u64)> {
        let fields: Fields = sonic_rs::from_str(event.text).expect("not an event");
        if fields.event_type != "view" {
            return None;
        }
        let time: u64 = fields.event_time.parse().expect("not a time");
        Some((self.ads[fields.ad_id], time + event.shift_ms))
    }

    pub fn campaigns(&self) -> usize {
        self.campaigns.len()
    }

    /// What was counted in a window, by campaign and the window's place within a pass.
    pub fn cells<'a>(
        &'a self,
        window: u64,
        counts: &'a [u64],
    ) -> impl Iterator<Item = (String, u64)> + 'a {
        let place = window % (self.span_ms / WINDOW_MS);
        let some = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        some.map(move |(campaign, count)| (format!("{}@{place}", self.campaigns[campaign]), *count))
    }

    fn load_ads(&mut self, text: &'static str) {
        let mut indices = FxHashMap::default();
        for (ad, campaign) in text.lines().filter_map(|line| line.split_once(',')) {
            let campaigns = &mut self.campaigns;
            let index = *indices.entry(campaign).or_insert_with(|| {
                campaigns.push(campaign);
                campaigns.len() as u32 - 1
            });
            self.ads.insert(ad, index);
        }
    }

    fn load_times(&mut self) {
        let time = |line: &&str| {
            let fields: Fields = sonic_rs::from_str(line).expect("not an event");
            fields.event_time.parse::<u64>().expect("not a time")
        };
        self.times = self.lines.iter().map(time).collect();
        let first = self.times.iter().map(|time| time + LATE_MS).min().unwrap_or(0);
        let end = self.times.iter().copied().max().unwrap_or(0);
        self.span_ms = (end / WINDOW_MS + 1 - first / WINDOW_MS) * WINDOW_MS;
    }
}
