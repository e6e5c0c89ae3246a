use clap::ValueEnum;
use console::{Style, Term};

/// When the summary has colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless the variable `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Columns of labels before the text.
const INDENT: usize = 13;
/// Narrower texts are not worth it.
const NARROWEST: usize = 24;

/// What a summary is shown on.
#[derive(Clone, Debug)]
pub struct Screen {
    /// The columns that a text may have. No terminal, no limit.
    width: Option<usize>,
    label: Style,
}

impl Screen {
    /// Standard output.
    pub fn stdout(color: Color) -> Self {
        Self::of(&Term::stdout(), color, console::colors_enabled())
    }

    /// Standard error.
    pub fn stderr(color: Color) -> Self {
        Self::of(&Term::stderr(), color, console::colors_enabled_stderr())
    }

    fn of(terminal: &Term, color: Color, by_itself: bool) -> Self {
        let columns = terminal.size_checked().map(|(_, columns)| usize::from(columns));
        let colored = match color {
            Color::Auto => by_itself,
            Color::Always => true,
            Color::Never => false,
        };
        Self {
            width: columns.map(|columns| columns.saturating_sub(INDENT).max(NARROWEST)),
            label: Style::new().cyan().force_styling(colored),
        }
    }

    /// The columns that a picture may have, at most `wish`.
    pub(super) fn columns(&self, wish: usize) -> usize {
        self.width.map_or(wish, |width| width.min(wish))
    }

    /// A label with its text, in as many lines as it needs. Lines are broken at spaces.
    pub(super) fn lines(&self, label: &str, text: &str) -> String {
        let label = self.label.apply_to(format!("{label:<10}"));
        let mut all = format!("  {label} ");
        let mut column = 0;
        for (index, word) in text.split(' ').enumerate() {
            let width = word.chars().count();
            if index > 0 && self.width.is_some_and(|most| column + 1 + width > most) {
                all.push('\n');
                all.push_str(&" ".repeat(INDENT));
                column = 0;
            } else if index > 0 {
                all.push(' ');
                column += 1;
            }
            all.push_str(word);
            column += width;
        }
        all.push('\n');
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: Option<usize>, colored: bool) -> Screen {
        Screen { width, label: Style::new().cyan().force_styling(colored) }
    }

    #[test]
    fn lines_break_at_spaces_and_only_there() {
        let text = "one two, three-and-a-half four";
        assert_eq!(
            screen(Some(9), false).lines("label", text),
            "  label      one two,\n             three-and-a-half\n             four\n"
        );
        assert_eq!(screen(None, false).lines("label", text), format!("  label      {text}\n"));
        assert_eq!(screen(None, true).lines("a", "b"), "  \u{1b}[36ma         \u{1b}[0m b\n");
    }
}
