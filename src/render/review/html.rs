//! Writes HTML in which every text stays text: it is escaped where it is written, and there is no way around that.
//! Attributes are a closed list without `style`, without handlers, and without addresses outside of the page.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::error::visible_line;

/// HTML as it is written.
#[derive(Debug, Default)]
pub struct Html(String);

/// What an element may say of itself.
#[derive(Debug, Clone, Copy)]
pub enum Attribute<'a> {
    Class(&'static str),
    Id(&'a str),
    /// A link within the page.
    ToId(&'a str),
    /// The control that a label is for.
    For(&'static str),
    Scope(&'static str),
    ColSpan(usize),
    DateTime(Timestamp),
    /// A name, and what a script finds under it; nothing is written for nothing.
    Data(&'static str, &'a str),
    Type(&'static str),
    Value(&'a str),
    Label(&'static str),
    /// The element whose text names this one.
    LabelledBy(&'a str),
    Role(&'static str),
    /// What a browser may do with the page.
    Policy(&'a str),
    /// It is not shown until a script shows it.
    Hidden,
}

impl Html {
    /// An element with what it holds.
    pub fn element(
        &mut self,
        tag: &'static str,
        attributes: &[Attribute<'_>],
        content: impl FnOnce(&mut Self),
    ) {
        self.begin(tag, attributes);
        content(self);
        // HTML has these end where the next one begins, and a page may have ten thousand of them.
        if !["tr", "td", "li"].contains(&tag) {
            let _ = write!(self.0, "</{tag}>");
        }
    }

    /// An element that holds nothing but text.
    pub fn words(&mut self, tag: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.element(tag, attributes, |html| html.text(text));
    }

    /// An element that cannot hold anything.
    pub fn empty(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.begin(tag, attributes);
    }

    /// Text, whatever it holds; what a reader would obey instead of seeing it is made visible.
    pub fn text(&mut self, text: &str) {
        for c in visible_line(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    /// What this program itself says in HTML, CSS or JavaScript.
    pub fn own(&mut self, source: &'static str) {
        self.0.push_str(source);
    }

    /// The whole of it.
    pub fn finish(self) -> String {
        self.0
    }

    fn begin(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        let _ = write!(self.0, "<{tag}");
        for attribute in attributes {
            self.attribute(*attribute);
        }
        self.0.push('>');
    }

    fn attribute(&mut self, attribute: Attribute<'_>) {
        let number;
        let (name, value) = match attribute {
            Attribute::Data(_, "") | Attribute::Class("") => return,
            Attribute::Class(value) => ("class", value),
            Attribute::Id(value) => ("id", value),
            Attribute::ToId(value) => {
                self.0.push_str(" href=\"#");
                self.text(value);
                self.0.push('"');
                return;
            }
            Attribute::For(value) => ("for", value),
            Attribute::Scope(value) => ("scope", value),
            Attribute::ColSpan(columns) => {
                number = columns.to_string();
                ("colspan", number.as_str())
            }
            Attribute::DateTime(at) => {
                number = at.to_string();
                ("datetime", number.as_str())
            }
            Attribute::Data(name, value) => {
                let _ = write!(self.0, " data-{name}=\"");
                self.text(value);
                self.0.push('"');
                return;
            }
            Attribute::Type(value) => ("type", value),
            Attribute::Value(value) => ("value", value),
            Attribute::Label(value) => ("aria-label", value),
            Attribute::LabelledBy(value) => ("aria-labelledby", value),
            Attribute::Role(value) => ("role", value),
            Attribute::Policy(value) => {
                self.0.push_str(" http-equiv=\"Content-Security-Policy\"");
                ("content", value)
            }
            Attribute::Hidden => {
                self.0.push_str(" hidden");
                return;
            }
        };
        let _ = write!(self.0, " {name}=\"");
        self.text(value);
        self.0.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_values_cannot_become_markup() {
        let mut html = Html::default();
        let evil = "\"'><script>alert(1)</script>&amp;\u{202e}\n";
        html.words("p", &[Attribute::Id(evil), Attribute::ToId(evil), Attribute::Data("c", evil)], evil);
        let escaped = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;\\u{202e}\\u{a}";
        let expected = format!("<p id=\"{escaped}\" href=\"#{escaped}\" data-c=\"{escaped}\">{escaped}</p>");
        assert_eq!(html.finish(), expected);
    }
}
