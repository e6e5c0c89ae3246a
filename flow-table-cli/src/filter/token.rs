use std::cmp::Ordering;
use std::fmt;

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Comparison {
    pub(super) fn holds(self, a: u64, b: u64) -> bool {
        match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Equal => a.cmp(&b) == Ordering::Equal,
            Self::NotEqual => a != b,
            Self::GreaterOrEqual => a >= b,
            Self::Greater => a > b,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        })
    }
}

/// A word, a comparison, or punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Open,
    Close,
    Not,
    And,
    Or,
    Compare(Comparison),
    Word(&'t str),
}

/// Splits a text into tokens, each with its place.
pub(super) fn tokens(text: &str) -> Vec<(usize, Token<'_>)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (token, len) = next(rest);
        if let Some(token) = token {
            tokens.push((at, token));
        }
        at += len;
    }
    tokens
}

/// The token at the beginning of a text, and its length. Spaces are no tokens.
fn next(text: &str) -> (Option<Token<'_>>, usize) {
    const SIGNS: [(&str, Token<'_>); 12] = [
        ("(", Token::Open),
        (")", Token::Close),
        ("&&", Token::And),
        ("||", Token::Or),
        ("<=", Token::Compare(Comparison::LessOrEqual)),
        (">=", Token::Compare(Comparison::GreaterOrEqual)),
        ("!=", Token::Compare(Comparison::NotEqual)),
        ("==", Token::Compare(Comparison::Equal)),
        ("<", Token::Compare(Comparison::Less)),
        (">", Token::Compare(Comparison::Greater)),
        ("=", Token::Compare(Comparison::Equal)),
        ("!", Token::Not),
    ];
    let spaces = text.len() - text.trim_start().len();
    if spaces > 0 {
        return (None, spaces);
    }
    if let Some((sign, token)) = SIGNS.iter().find(|(sign, _)| text.starts_with(sign)) {
        return (Some(*token), sign.len());
    }
    let ends = |(at, c): (usize, char)| (at > 0 && (c.is_whitespace() || "()<>=!&|".contains(c))).then_some(at);
    let len = text.char_indices().find_map(ends).unwrap_or(text.len());
    let word = &text[..len];
    let token = match word {
        "not" => Token::Not,
        "and" => Token::And,
        "or" => Token::Or,
        word => Token::Word(word),
    };
    (Some(token), len)
}
