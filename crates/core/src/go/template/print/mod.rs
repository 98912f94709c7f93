//! Shows values as Go's `fmt` does: `print`, `println`, `printf`, and what an action prints.

mod float;
mod integer;
mod printf;
mod text;

use super::budget::SPENT;
use super::value::Value;

pub(super) use printf::printf;

const NIL: &[u8] = b"<nil>";

/// A value as an action prints it, in at most `room` bytes.
pub(super) fn shown(value: &Value, room: usize) -> Result<Vec<u8>, String> {
    print(std::slice::from_ref(value), room)
}

/// The values with spaces between those that are no texts.
pub(super) fn print(values: &[Value], room: usize) -> Result<Vec<u8>, String> {
    let mut printer = Printer::new(room);
    let mut after_text = false;
    for (index, value) in values.iter().enumerate() {
        let is_text = matches!(value, Value::Text(_));
        if index > 0 && !is_text && !after_text {
            printer.write(b" ");
        }
        printer.value(value, 'v');
        after_text = is_text;
    }
    printer.finish()
}

/// The values with spaces between them all, and a newline.
pub(super) fn println(values: &[Value], room: usize) -> Result<Vec<u8>, String> {
    let mut printer = Printer::new(room);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            printer.write(b" ");
        }
        printer.value(value, 'v');
    }
    printer.write(b"\n");
    printer.finish()
}

/// What stands between a `%` and its verb.
#[derive(Clone, Copy, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v`: structs with the names of their fields.
    named: bool,
    /// `%#v`: as Go's source code has it.
    source: bool,
}

struct Printer {
    output: Vec<u8>,
    /// How many bytes there may be.
    room: usize,
    /// Why nothing more is written.
    failure: Option<String>,
    flags: Flags,
}

impl Printer {
    fn new(room: usize) -> Self {
        Self {
            output: Vec::new(),
            room,
            failure: None,
            flags: Flags::default(),
        }
    }

    fn finish(self) -> Result<Vec<u8>, String> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.output),
        }
    }

    /// Whether there is room for so many bytes more.
    fn fits(&mut self, bytes: usize) -> bool {
        if self.failure.is_none() && self.room - self.output.len() < bytes {
            self.failure = Some(SPENT.to_owned());
        }
        self.failure.is_none()
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.fits(bytes.len()) {
            self.output.extend_from_slice(bytes);
        }
    }

    fn write_char(&mut self, letter: char) {
        self.write(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn unsupported(&mut self, what: &str) {
        self.failure
            .get_or_insert_with(|| format!("{what} cannot be printed here"));
    }

    fn padding(&mut self, count: usize) {
        // Zeros stand on the left only.
        let filler = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        if self.fits(count) {
            self.output.resize(self.output.len() + count, filler);
        }
    }

    /// Writes with as many spaces or zeros as the width asks for.
    fn padded(&mut self, bytes: &[u8]) {
        let missing = match self.flags.width {
            Some(width) => width.saturating_sub(crate::go::quote::letters(bytes).count()),
            None => 0,
        };
        if !self.flags.minus {
            self.padding(missing);
        }
        self.write(bytes);
        if self.flags.minus {
            self.padding(missing);
        }
    }

    /// Writes with spaces alone.
    fn padded_with_spaces(&mut self, bytes: &[u8]) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.padded(bytes);
        self.flags.zero = zero;
    }

    /// One value at the top, where `%T` and `%p` have their meaning.
    fn value(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.padded(NIL),
            (Value::Nil, _) => self.bad_verb(value, verb),
            (_, 'T') => self.text(value.type_name().as_bytes(), 's'),
            (Value::List(_) | Value::Map(_), 'p') => self.unsupported("the address of a value"),
            (_, 'p') => self.bad_verb(value, verb),
            _ => self.part(value, verb),
        }
    }

    fn part(&mut self, value: &Value, verb: char) {
        let known = match value {
            Value::Nil => false,
            Value::Bool(truth) => self.truth(*truth, verb),
            Value::Int(number) => self.signed(*number, verb),
            Value::Byte(number) => self.unsigned(*number, verb),
            Value::Float(number) => self.float(*number, verb),
            Value::Text(text) => {
                text::is_verb(verb) && {
                    self.text(text, verb);
                    true
                }
            }
            // `%w` is for errors, which no value here is; Go does not look inside for one.
            Value::List(_) | Value::Map(_) | Value::Struct(_) => {
                verb != 'w' && {
                    self.composite(value, verb);
                    true
                }
            }
        };
        if !known {
            self.bad_verb(value, verb);
        }
    }

    fn truth(&mut self, truth: bool, verb: char) -> bool {
        let known = matches!(verb, 't' | 'v');
        if known {
            self.padded(truth.to_string().as_bytes());
        }
        known
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.write(b"%!");
        self.write_char(verb);
        self.write(b"(");
        if matches!(value, Value::Nil) {
            self.write(NIL);
        } else {
            self.typed(value);
        }
        self.write(b")");
    }

    fn typed(&mut self, value: &Value) {
        self.write(value.type_name().as_bytes());
        self.write(b"=");
        self.part(value, 'v');
    }

    fn composite(&mut self, value: &Value, verb: char) {
        let source = self.flags.source;
        if source {
            self.write(value.type_name().as_bytes());
            if value.is_nil() {
                return self.write(b"(nil)");
            }
        }
        match value {
            Value::List(list) => {
                self.write(if source { b"{" } else { b"[" });
                for (index, element) in list.values().iter().enumerate() {
                    self.separator(index);
                    self.part(element, verb);
                }
                self.write(if source { b"}" } else { b"]" });
            }
            Value::Map(map) => {
                self.write(if source { b"{" } else { b"map[" });
                for (index, (key, element)) in map.entries.iter().enumerate() {
                    self.separator(index);
                    self.part(&Value::Text(key.clone()), verb);
                    self.write(b":");
                    self.part(element, verb);
                }
                self.write(if source { b"}" } else { b"]" });
            }
            Value::Struct(structure) => {
                self.write(b"{");
                for (index, ((name, _), field)) in structure.of.fields.iter().zip(&structure.values).enumerate() {
                    self.separator(index);
                    if source || self.flags.named {
                        self.write(name.as_bytes());
                        self.write(b":");
                    }
                    self.part(field, verb);
                }
                self.write(b"}");
            }
            _ => {}
        }
    }

    fn separator(&mut self, index: usize) {
        match (index, self.flags.source) {
            (0, _) => {}
            (_, true) => self.write(b", "),
            (_, false) => self.write(b" "),
        }
    }
}
