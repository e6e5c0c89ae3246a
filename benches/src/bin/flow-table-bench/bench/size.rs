//! Numbers of flows as people read them.

/// With a comma between thousands.
pub(crate) fn flows(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_apart() {
        assert_eq!(
            [1, 999, 1_000, 65_536, 8_388_608].map(super::flows),
            ["1", "999", "1,000", "65,536", "8,388,608"]
        );
    }
}
