//! Parses a template and what it defines by Go's grammar; it must not know what data there will be.

mod action;
mod literal;
mod pipeline;

use std::collections::BTreeMap;

use super::item::{Item, Keyword, Kind};
use super::lex::Lexer;
use super::node::{List, Node, NodeKind};
use super::{MAX_DEPTH, MAX_SOURCE_BYTES, ParseError};
use crate::go::quote::quote;

/// The trees of a template and of those that it defines, by their names.
pub(super) fn parse(name: &str, source: &str) -> Result<BTreeMap<String, List>, ParseError> {
    let mut parser = Parser {
        name,
        lexer: Lexer::new(source),
        ahead: Vec::new(),
        line: 1,
        scope: Scope::default(),
        depth: 0,
        trees: BTreeMap::new(),
    };
    if source.len() > MAX_SOURCE_BYTES {
        let bytes = source.len();
        return Err(parser.error(format!("{bytes} bytes are more than the {MAX_SOURCE_BYTES} allowed")));
    }
    let tree = parser.whole()?;
    parser.add(name.to_owned(), tree)?;
    Ok(parser.trees)
}

struct Parser<'s> {
    name: &'s str,
    lexer: Lexer<'s>,
    /// Items that were read and given back, the next one last.
    ahead: Vec<Item<'s>>,
    /// Where the item began that was cut last.
    line: usize,
    scope: Scope,
    depth: usize,
    trees: BTreeMap<String, List>,
}

/// What holds within one template, and not in those that it defines.
struct Scope {
    /// The names that can be seen.
    variables: Vec<String>,
    /// The line on which the present action began.
    action: Option<usize>,
    ranges: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            variables: vec!["$".to_owned()],
            action: None,
            ranges: 0,
        }
    }
}

/// What can come next in a list.
enum Part {
    Node(Node),
    End,
    Else,
}

impl Part {
    fn shown(&self) -> &'static str {
        match self {
            Self::Else => "{{else}}",
            Self::Node(_) | Self::End => "{{end}}",
        }
    }
}

impl<'s> Parser<'s> {
    fn next(&mut self) -> Item<'s> {
        if let Some(item) = self.ahead.pop() {
            return item;
        }
        let item = self.lexer.next_item();
        self.line = item.line;
        item
    }

    fn next_but_space(&mut self) -> Item<'s> {
        loop {
            let item = self.next();
            if item.kind != Kind::Space {
                return item;
            }
        }
    }

    fn give_back(&mut self, item: Item<'s>) {
        self.ahead.push(item);
    }

    /// The kind of what comes next, and its place.
    fn peek(&mut self) -> (Kind, usize) {
        let item = self.next();
        let seen = (item.kind, item.at);
        self.give_back(item);
        seen
    }

    /// As `peek`, behind any space.
    fn peek_but_space(&mut self) -> (Kind, usize) {
        let item = self.next_but_space();
        let seen = (item.kind, item.at);
        self.give_back(item);
        seen
    }

    fn error(&self, problem: impl Into<String>) -> ParseError {
        ParseError {
            name: self.name.to_owned(),
            line: self.line,
            problem: problem.into(),
        }
    }

    fn unexpected(&self, item: &Item<'_>, context: &str) -> ParseError {
        let shown = item.shown();
        if item.kind != Kind::Error {
            return self.error(format!("unexpected {shown} in {context}"));
        }
        match self.scope.action {
            Some(line) if line != item.line => {
                let action = if shown.ends_with(" action") { "" } else { " in action" };
                self.error(format!("{shown}{action} started at {}:{line}", self.name))
            }
            _ => self.error(shown),
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Item<'s>, ParseError> {
        let item = self.next_but_space();
        match item.kind == kind {
            true => Ok(item),
            false => Err(self.unexpected(&item, context)),
        }
    }

    /// Does something one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("max expression depth exceeded"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Everything there is, with definitions taken out.
    fn whole(&mut self) -> Result<List, ParseError> {
        let mut list = List::default();
        loop {
            let (kind, _) = self.peek();
            if kind == Kind::EndOfFile {
                return Ok(list);
            }
            if kind == Kind::LeftDelimiter {
                let delimiter = self.next();
                let word = self.next_but_space();
                if word.kind == Kind::Keyword(Keyword::Define) {
                    self.definition()?;
                    continue;
                }
                self.give_back(word);
                self.give_back(delimiter);
            }
            match self.part()? {
                Part::Node(node) => list.nodes.push(node),
                part => return Err(self.error(format!("unexpected {}", part.shown()))),
            }
        }
    }

    /// What follows `{{define`.
    fn definition(&mut self) -> Result<(), ParseError> {
        const CONTEXT: &str = "define clause";
        let outer = std::mem::take(&mut self.scope);
        let name = self.next_but_space();
        let name = self.template_name(&name, CONTEXT)?;
        self.expect(Kind::RightDelimiter, CONTEXT)?;
        let tree = self.list_to_end(CONTEXT)?;
        self.add(name, tree)?;
        self.scope = outer;
        Ok(())
    }

    fn list_to_end(&mut self, context: &str) -> Result<List, ParseError> {
        match self.list()? {
            (list, Part::End) => Ok(list),
            (_, part) => Err(self.error(format!("unexpected {} in {context}", part.shown()))),
        }
    }

    /// A template replaces one of its name that says nothing, and none that says something.
    fn add(&mut self, name: String, tree: List) -> Result<(), ParseError> {
        if self.trees.get(&name).is_none_or(List::is_empty) {
            self.trees.insert(name, tree);
            return Ok(());
        }
        match tree.is_empty() {
            true => Ok(()),
            false => Err(self.error(format!("template: multiple definition of template {}", quote(&name)))),
        }
    }

    /// What stands before an `{{end}}` or `{{else}}`, and which of the two it is.
    fn list(&mut self) -> Result<(List, Part), ParseError> {
        self.deeper(|parser| {
            let mut list = List::default();
            while parser.peek_but_space().0 != Kind::EndOfFile {
                match parser.part()? {
                    Part::Node(node) => list.nodes.push(node),
                    part => return Ok((list, part)),
                }
            }
            Err(parser.error("unexpected EOF"))
        })
    }

    fn part(&mut self) -> Result<Part, ParseError> {
        let item = self.next_but_space();
        match item.kind {
            Kind::Text => Ok(Part::Node(Node {
                at: item.at,
                kind: NodeKind::Text(item.text.into_owned()),
            })),
            Kind::LeftDelimiter => {
                self.scope.action = Some(item.line);
                let part = self.action()?;
                self.scope.action = None;
                Ok(part)
            }
            _ => Err(self.unexpected(&item, "input")),
        }
    }
}
