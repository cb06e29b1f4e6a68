//! Medians and their spread.

use std::time::Duration;

/// The middle of a series of measurements, and the quartiles around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

impl Summary {
    /// The summary of `values`; none of none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&values, 2)?,
            lower: quantile(&values, 1)?,
            upper: quantile(&values, 3)?,
        })
    }

    /// As "1.23 (1.20–1.31)", the quartiles in parentheses.
    pub(crate) fn display(&self, decimals: usize) -> String {
        let Self {
            median,
            lower,
            upper,
        } = self;
        format!("{median:.decimals$} ({lower:.decimals$}–{upper:.decimals$})")
    }
}

/// The value a number of quarters into the sorted `values`, between two of
/// them by interpolation.
fn quantile(values: &[f64], quarters: usize) -> Option<f64> {
    let position = values.len().checked_sub(1)? * quarters;
    let (index, part) = (position / 4, position % 4);
    let low = values[index];
    let high = values.get(index + 1).copied().unwrap_or(low);
    // 0, 1/4, 1/2 or 3/4 of the way.
    Some(low + (high - low) * [0.0, 0.25, 0.5, 0.75][part])
}

/// Measurements of two things in turn, so that what disturbs the machine
/// disturbs both.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pairs(pub(crate) Vec<(f64, f64)>);

impl Pairs {
    pub(crate) fn first(&self) -> Option<Summary> {
        Summary::of(self.0.iter().map(|pair| pair.0))
    }

    pub(crate) fn second(&self) -> Option<Summary> {
        Summary::of(self.0.iter().map(|pair| pair.1))
    }

    /// How much more the first took, pair by pair.
    pub(crate) fn difference(&self) -> Option<Summary> {
        Summary::of(self.0.iter().map(|pair| pair.0 - pair.1))
    }

    /// How many times as long the first took, pair by pair.
    pub(crate) fn ratio(&self) -> Option<Summary> {
        Summary::of(self.0.iter().map(|pair| pair.0 / pair.1))
    }
}

/// Measures `count` pairs, after one that is not counted. Which of the two
/// comes first changes from pair to pair.
pub(crate) fn pairs<E>(
    count: usize,
    mut first: impl FnMut() -> Result<f64, E>,
    mut second: impl FnMut() -> Result<f64, E>,
) -> Result<Pairs, E> {
    let mut pairs = Vec::with_capacity(count);
    for index in 0..=count {
        let pair = if index % 2 == 0 {
            let one = first()?;
            (one, second()?)
        } else {
            let other = second()?;
            (first()?, other)
        };
        if index > 0 {
            pairs.push(pair);
        }
    }
    Ok(Pairs(pairs))
}

/// In milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_quartiles() {
        let cases: [(&[f64], Option<[f64; 3]>); 6] = [
            (&[], None),
            (&[7.0], Some([7.0, 7.0, 7.0])),
            (&[2.0, 1.0], Some([1.25, 1.5, 1.75])),
            (&[3.0, 1.0, 2.0], Some([1.5, 2.0, 2.5])),
            (&[4.0, 1.0, 3.0, 2.0], Some([1.75, 2.5, 3.25])),
            (&[5.0, 1.0, 900.0, 2.0, 3.0], Some([2.0, 3.0, 5.0])),
        ];
        for (values, expected) in cases {
            let summary = Summary::of(values.iter().copied());
            let summary = summary.map(|s| [s.lower, s.median, s.upper]);
            assert_eq!(summary, expected, "{values:?}");
        }
    }

    #[test]
    fn displayed_with_the_quartiles() {
        let summary = Summary {
            median: 1.234,
            lower: 1.0,
            upper: 12.5,
        };
        assert_eq!(summary.display(2), "1.23 (1.00–12.50)");
        assert_eq!(summary.display(0), "1 (1–12)");
    }

    #[test]
    fn pairs_are_compared_one_by_one() {
        // Both slow at the same time: the ratio does not see it.
        let pairs = Pairs(vec![(2.0, 1.0), (20.0, 10.0), (4.0, 2.0)]);
        assert_eq!(pairs.ratio().map(|r| (r.lower, r.upper)), Some((2.0, 2.0)));
        assert_eq!(pairs.difference().map(|d| d.median), Some(2.0));
        assert_eq!(pairs.first().map(|s| s.median), Some(4.0));
        assert_eq!(pairs.second().map(|s| s.median), Some(2.0));
        assert_eq!(Pairs::default().ratio(), None);
    }

    #[test]
    fn the_order_changes_and_the_first_pair_is_dropped() {
        let order = std::cell::RefCell::new(String::new());
        let measure = |name: char, value: f64| {
            order.borrow_mut().push(name);
            Ok::<_, ()>(value)
        };
        let pairs = pairs(2, || measure('a', 1.0), || measure('b', 2.0));
        assert_eq!(pairs, Ok(Pairs(vec![(1.0, 2.0); 2])));
        assert_eq!(*order.borrow(), "abbaab");
    }
}
