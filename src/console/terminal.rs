//! Data goes to standard output, talk to standard error; colour and chattiness are decided once.

use std::borrow::Cow;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};

use zeroize::Zeroizing;

use crate::ci::github_actions::Actions;
use crate::cli::{self, ColorChoice, Global};
use crate::error::{Error, Result, Severity};
use crate::interrupt::Interrupt;
use crate::os;
use crate::render::{Style, fit, github_workflow_commands};
use crate::seal::Prompt;

/// How to speak.
pub struct Terminal {
    out: Style,
    err: Style,
    out_columns: Option<usize>,
    err_columns: Option<usize>,
    quiet: bool,
    verbose: bool,
    actions: Option<Actions>,
    plugin: bool,
    /// The terminal can do no more than print (`TERM=dumb`).
    dumb: bool,
}

/// The command line takes precedence over the environment.
fn coloured(choice: ColorChoice, terminal: bool, no_color: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => terminal && !no_color,
    }
}

impl Terminal {
    pub fn new(global: &Global) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let style = |terminal| Style {
            coloured: coloured(global.color, terminal && !dumb, no_color),
            verbose: global.verbose,
        };
        Self {
            out: style(io::stdout().is_terminal()),
            err: style(io::stderr().is_terminal()),
            out_columns: os::columns(io::stdout()),
            err_columns: os::columns(io::stderr()),
            quiet: global.quiet,
            verbose: global.verbose,
            actions: Actions::detect(&global.roster),
            plugin: cli::is_kubectl_plugin(),
            dumb,
        }
    }

    /// The style of what is printed.
    pub fn style(&self) -> Style {
        self.out
    }

    /// The style of what is said.
    pub fn talk_style(&self) -> Style {
        self.err
    }

    /// How wide the terminal is that is printed to, if it is one.
    pub fn columns(&self) -> Option<usize> {
        self.out_columns
    }

    /// Prints text for people, as lines that fit the terminal.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn show(&self, text: &str) -> Result<()> {
        self.print(fitting(&self.harmless(text), self.out_columns).as_bytes())
    }

    /// Prints a document, such as JSON: as data, but for what would command the CI that reads it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn show_document(&self, text: &str) -> Result<()> {
        self.print(self.harmless(text).as_bytes())
    }

    /// Prints data, byte for byte. A closed pipe (`| head`) is not an error.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self, data: &[u8]) -> Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(data).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::new("standard output could not be written").caused_by(error))
            }
            _ => Ok(()),
        }
    }

    /// Says a line, unless `--quiet`.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}", self.said(line));
        }
    }

    /// Says a line with `--verbose` only.
    pub fn detail(&self, line: &str) {
        if self.verbose {
            self.say(line);
        }
    }

    /// Says what went wrong.
    pub fn error(&self, error: &Error) {
        self.tell(error, Severity::Error);
    }

    /// Says what somebody has to look at, although nothing went wrong.
    pub fn warning(&self, warning: &Error) {
        self.tell(warning, Severity::Warning);
    }

    fn tell(&self, error: &Error, severity: Severity) {
        let text = error.render_as(severity, self.err.coloured);
        let actions = self.actions.as_ref();
        let annotations = actions.map_or(String::new(), |actions| actions.annotations(error, severity));
        let _ = write!(io::stderr(), "{}{annotations}", self.said(&text));
    }

    /// What is said, as it goes out.
    fn said(&self, text: &str) -> String {
        fitting(&self.harmless(&self.to_type(text)), self.err_columns)
    }

    /// Commands as whoever reads them would type them.
    fn to_type<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.plugin { text.replace("`certctl ", "`kubectl certctl ").into() } else { text.into() }
    }

    fn harmless<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.actions.is_some() { github_workflow_commands::harmless(text) } else { text.into() }
    }

    /// Whether this is a run of GitHub Actions.
    pub fn on_github(&self) -> bool {
        self.actions.is_some()
    }

    /// Whether progress may be drawn.
    pub fn draws(&self) -> bool {
        !self.quiet && !self.dumb && io::stderr().is_terminal()
    }

    /// Whether a question can be answered.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// In one piece, so that nothing that is typed comes in between.
    fn put_question(&self, question: &str) {
        let _ = io::stderr().write_all((self.said(question) + " ").as_bytes());
    }

    /// Asks for a line, where [`Self::can_ask`]; `None` where the input has ended.
    pub fn line(&self, question: &str) -> Option<String> {
        self.put_question(question);
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer) {
            Ok(1..) => Some(answer.trim().to_owned()),
            _ => None,
        }
    }

    /// Asks; only a full `yes` is one. An interrupt is a no.
    pub async fn ask(&self, question: &str, interrupt: &Interrupt) -> bool {
        self.put_question(question);
        let (sender, answer) = tokio::sync::oneshot::channel();
        // A detached thread: reading a terminal cannot be cancelled.
        std::thread::spawn(move || {
            let mut answer = String::new();
            let yes = io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes";
            let _ = sender.send(yes);
        });
        tokio::select! {
            yes = answer => yes.unwrap_or(false),
            () = interrupt.wait() => false,
        }
    }
}

fn fitting(text: &str, columns: Option<usize>) -> String {
    columns.map_or_else(|| text.to_owned(), |columns| fit::fitted(text, columns))
}

/// The terminal that the process belongs to, whatever its standard streams are: passphrases are
/// asked there, so that `certctl decrypt > FILE` works.
pub struct Tty;

impl Prompt for Tty {
    fn secret(&self, question: &str) -> Result<Zeroizing<String>, String> {
        rpassword::prompt_password(format!("{question}: "))
            .map(Zeroizing::new)
            .map_err(|why| unanswered(&why))
    }

    fn line(&self, question: &str) -> Result<String, String> {
        let ask = || -> io::Result<String> {
            let (input, mut output) = os::terminal()?;
            write!(output, "{question} ")?;
            let mut answer = String::new();
            BufReader::new(input).read_line(&mut answer)?;
            Ok(answer.trim().to_owned())
        };
        ask().map_err(|why| unanswered(&why))
    }

    fn tell(&self, message: &str) {
        let _ = writeln!(io::stderr(), "{message}");
    }
}

fn unanswered(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => "nothing was answered",
        _ => "there is no terminal to ask on",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_colours_a_terminal_unless_no_color_is_set_and_flags_take_precedence() {
        assert!(coloured(ColorChoice::Auto, true, false));
        assert!(!coloured(ColorChoice::Auto, true, true));
        assert!(!coloured(ColorChoice::Auto, false, false));
        assert!(coloured(ColorChoice::Always, false, true));
        assert!(!coloured(ColorChoice::Never, true, false));
    }
}
