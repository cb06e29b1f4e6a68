//! Doing several things at once.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// As many things at a time as are worth asking for more.
const SOME: usize = 16;

/// What `each` makes of the things, in their order, on as many threads as there
/// are processors.
pub(crate) fn map<T: Sync, R: Send>(
    things: &[T],
    each: impl Fn(&T) -> R + Copy + Send + Sync,
) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads = processors.min(things.len().div_ceil(SOME));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::new();
        loop {
            let start = next.fetch_add(SOME, Ordering::Relaxed);
            let Some(part) = things.get(start..).filter(|part| !part.is_empty()) else {
                return made;
            };
            let part = part.iter().take(SOME).map(each);
            made.push((start, part.collect::<Vec<R>>()));
        }
    };
    let mut made = thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            // Where no thread can be had, the others do more.
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut made = work();
        for thread in others {
            made.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    });
    made.sort_unstable_by_key(|(start, _)| *start);
    made.into_iter().flat_map(|(_, part)| part).collect()
}

/// What both make, the first on a thread of its own.
pub(crate) fn both<A: Send, B>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B,
) -> (A, B) {
    thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        let first = first.join().unwrap_or_else(|panic| resume_unwind(panic));
        (first, second)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays() {
        for count in [0, 1, SOME - 1, SOME, 10 * SOME + 1] {
            let numbers: Vec<usize> = (0..count).collect();
            let doubled = map(&numbers, |number| number * 2);
            let expected: Vec<usize> = numbers.iter().map(|number| number * 2).collect();
            assert_eq!(doubled, expected);
        }
    }
}
