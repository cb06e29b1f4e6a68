//! Doing the same with many things at once.

use std::thread;

/// Fewer things than this are not worth a thread.
const FEW: usize = 32;

/// What `each` makes of the things, in their order, on as many threads as there
/// are processors.
pub(super) fn map<T: Sync, R: Send>(
    things: &[T],
    each: impl Fn(&T) -> R + Copy + Send + Sync,
) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let part = things.len().div_ceil(processors).max(FEW);
    let work = move |part: &[T]| -> Vec<R> { part.iter().map(each).collect() };
    let mut parts = things.chunks(part);
    let own = parts.next().unwrap_or_default();
    thread::scope(|scope| {
        let others: Vec<_> = parts
            .map(|part| {
                let thread = thread::Builder::new().spawn_scoped(scope, move || work(part));
                (part, thread.ok())
            })
            .collect();
        let mut made = work(own);
        for (part, thread) in others {
            // Where no thread can be had, or one has failed, it is done here.
            let done = thread.and_then(|thread| thread.join().ok());
            made.extend(done.unwrap_or_else(|| work(part)));
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays() {
        for count in [0, 1, FEW - 1, FEW, 10 * FEW + 1] {
            let numbers: Vec<usize> = (0..count).collect();
            let doubled = map(&numbers, |number| number * 2);
            let expected: Vec<usize> = numbers.iter().map(|number| number * 2).collect();
            assert_eq!(doubled, expected);
        }
    }
}
