//! Parses what stands between `{{` and `}}`, and up to the `{{end}}` that belongs to it.

use super::{ParseError, Parser, Part};
use crate::go::template::item::{Item, Keyword, Kind};
use crate::go::template::node::{Branch, Control, List, Node, NodeKind, Pipe};

impl<'s> Parser<'s> {
    /// What follows `{{`.
    pub(super) fn action(&mut self) -> Result<Part, ParseError> {
        let item = self.next_but_space();
        let Kind::Keyword(keyword) = item.kind else {
            return self.pipeline_action(item);
        };
        match keyword {
            Keyword::Block => self.block(),
            Keyword::Break => self.leave(item.at, "{{break}}", NodeKind::Break),
            Keyword::Continue => self.leave(item.at, "{{continue}}", NodeKind::Continue),
            Keyword::Else => self.otherwise(),
            Keyword::End => {
                self.expect(Kind::RightDelimiter, "end")?;
                Ok(Part::End)
            }
            Keyword::If => self.branch(Control::If).map(Part::Node),
            Keyword::Range => self.branch(Control::Range).map(Part::Node),
            Keyword::With => self.branch(Control::With).map(Part::Node),
            Keyword::Template => self.template(),
            Keyword::Define | Keyword::Dot | Keyword::Nil => self.pipeline_action(item),
        }
    }

    fn pipeline_action(&mut self, first: Item<'s>) -> Result<Part, ParseError> {
        let at = first.at;
        self.give_back(first);
        let pipe = self.pipeline("command", Kind::RightDelimiter)?;
        Ok(Part::Node(Node {
            at,
            kind: NodeKind::Action(pipe),
        }))
    }

    fn leave(&mut self, at: usize, shown: &str, kind: NodeKind) -> Result<Part, ParseError> {
        self.expect(Kind::RightDelimiter, shown)?;
        match self.scope.ranges {
            0 => Err(self.error(format!("{shown} outside {{{{range}}}}"))),
            _ => Ok(Part::Node(Node { at, kind })),
        }
    }

    fn otherwise(&mut self) -> Result<Part, ParseError> {
        // What is else on a condition is read by whoever finds the else.
        if !matches!(self.peek_but_space().0, Kind::Keyword(Keyword::If | Keyword::With)) {
            self.expect(Kind::RightDelimiter, "else")?;
        }
        Ok(Part::Else)
    }

    fn branch(&mut self, control: Control) -> Result<Node, ParseError> {
        let seen = self.scope.variables.len();
        let pipe = self.pipeline(control.name(), Kind::RightDelimiter)?;
        let ranges = usize::from(control == Control::Range);
        self.scope.ranges += ranges;
        let (list, end) = self.list()?;
        self.scope.ranges -= ranges;
        let otherwise = match end {
            Part::Else => Some(self.else_list(control)?),
            Part::End | Part::Node(_) => None,
        };
        self.scope.variables.truncate(seen);
        Ok(Node {
            at: pipe.at,
            kind: NodeKind::Branch(Branch {
                control,
                pipe,
                list,
                otherwise,
            }),
        })
    }

    /// `{{else if}}` is an `{{else}}` with an `{{if}}` in it that shares its `{{end}}`; so is `{{else with}}`.
    fn else_list(&mut self, control: Control) -> Result<List, ParseError> {
        let (kind, _) = self.peek();
        let chained = match control {
            Control::If => kind == Kind::Keyword(Keyword::If),
            Control::With => kind == Kind::Keyword(Keyword::With),
            Control::Range => false,
        };
        if chained {
            self.next();
            let node = self.deeper(|parser| parser.branch(control))?;
            return Ok(List { nodes: vec![node] });
        }
        match self.list()? {
            (list, Part::End) => Ok(list),
            (_, part) => Err(self.error(format!("expected end; found {}", part.shown()))),
        }
    }

    /// What follows `{{block`: a definition, and its use at this place.
    fn block(&mut self) -> Result<Part, ParseError> {
        const CONTEXT: &str = "block clause";
        let item = self.next_but_space();
        let name = self.template_name(&item, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelimiter)?;
        let outer = std::mem::take(&mut self.scope);
        let tree = self.list_to_end(CONTEXT)?;
        self.add(name.clone(), tree)?;
        self.scope = outer;
        Ok(call(item.at, name, Some(pipe)))
    }

    fn template(&mut self) -> Result<Part, ParseError> {
        const CONTEXT: &str = "template clause";
        let item = self.next_but_space();
        let name = self.template_name(&item, CONTEXT)?;
        let next = self.next_but_space();
        if next.kind == Kind::RightDelimiter {
            return Ok(call(item.at, name, None));
        }
        self.give_back(next);
        let pipe = self.pipeline(CONTEXT, Kind::RightDelimiter)?;
        Ok(call(item.at, name, Some(pipe)))
    }

    pub(super) fn template_name(&self, item: &Item<'_>, context: &str) -> Result<String, ParseError> {
        match item.kind {
            Kind::QuotedText | Kind::RawText => {
                let name = self.unquoted(item)?;
                Ok(String::from_utf8_lossy(&name).into_owned())
            }
            _ => Err(self.unexpected(item, context)),
        }
    }
}

fn call(at: usize, name: String, pipe: Option<Pipe>) -> Part {
    Part::Node(Node {
        at,
        kind: NodeKind::Template { name, pipe },
    })
}
