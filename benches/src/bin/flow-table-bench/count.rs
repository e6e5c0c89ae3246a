use std::ops::RangeInclusive;

/// Reads a count, which must be in the range. Digits may be grouped, as in `1_000_000`.
pub(crate) fn within(number: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    match number.replace('_', "").parse::<usize>() {
        Ok(count) if range.contains(&count) => Ok(count),
        Ok(_) => Err(format!("must be from {} to {}", range.start(), range.end())),
        Err(error) => Err(error.to_string()),
    }
}
