//! Text → nodes, through the events of `granit-parser`; the only file that names it.

use super::super::{Fault, Limits};
use super::{Form, Node, What};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::borrow::Cow;

/// The nodes of the only document, the root first; none where there is no content.
pub(super) fn read<'t>(text: &'t str, limits: &Limits) -> Result<Vec<Node<'t>>, Fault> {
    let mut options = granit_parser::options! {
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    options.set_emit_comments(false);
    let mut reader =
        Reader { nodes: Vec::new(), open: Vec::new(), anchors: Vec::new(), documents: 0, limits };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| fault(&error, text))?;
        reader.event(event, &span)?;
    }
    Ok(reader.nodes)
}

struct Reader<'t, 'l> {
    nodes: Vec<Node<'t>>,
    /// Containers that are open.
    open: Vec<usize>,
    /// Node of each anchor, by its number.
    anchors: Vec<Option<usize>>,
    documents: usize,
    limits: &'l Limits,
}

impl<'t> Reader<'t, '_> {
    fn event(&mut self, event: Event<'t>, span: &Span) -> Result<(), Fault> {
        let at = offset(span);
        match event {
            Event::DocumentStart(_, version) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "expected one document, found a second: put them in separate files";
                    return Err(Fault::new(at, message));
                }
                if version.is_some_and(|version| version.major == 1 && version.minor < 2) {
                    let message = "expected YAML 1.2, found a directive for an older version";
                    return Err(Fault::new(at, message));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let empty = span.start == span.end && style == ScalarStyle::Plain;
                let text = if empty { Cow::Borrowed("") } else { text };
                let form =
                    form(style, tag.as_deref(), empty).map_err(|message| fault_at_tag(span, message))?;
                // A document of nothing but comments, or of `---` alone, has one such scalar.
                if !(self.nodes.is_empty() && empty && form == Form::Plain) {
                    self.push(at, What::Scalar { text, form }, anchor)?;
                }
            }
            Event::SequenceStart(_, anchor, tag) => {
                container(tag.as_deref(), "seq").map_err(|message| fault_at_tag(span, message))?;
                self.open(at, What::Sequence { end: 0 }, anchor)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                container(tag.as_deref(), "map").map_err(|message| fault_at_tag(span, message))?;
                self.open(at, What::Mapping { end: 0 }, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let index = self.open.pop().expect("the parser closes only what it opened");
                let past = self.nodes.len();
                if let What::Sequence { end } | What::Mapping { end } = &mut self.nodes[index].what {
                    *end = past;
                }
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(anchor).copied().flatten();
                let Some(target) = target.filter(|target| !self.open.contains(target)) else {
                    return Err(Fault::new(at, "expected an alias outside its own anchor, found it inside"));
                };
                self.push(at, What::Alias(target), 0)?;
            }
            // Stream and document ends; comments and anchors by name are turned off.
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, at: usize, what: What<'t>, anchor: usize) -> Result<(), Fault> {
        if self.nodes.len() >= self.limits.nodes {
            return Err(Fault::new(at, Limits::too_many(self.limits.nodes)));
        }
        if anchor > 0 {
            if self.anchors.len() <= anchor {
                self.anchors.resize(anchor + 1, None);
            }
            self.anchors[anchor] = Some(self.nodes.len());
        }
        self.nodes.push(Node { at, what });
        Ok(())
    }

    fn open(&mut self, at: usize, what: What<'t>, anchor: usize) -> Result<(), Fault> {
        if self.open.len() == self.limits.depth {
            return Err(Fault::new(at, Limits::too_deep(self.limits.depth)));
        }
        self.open.push(self.nodes.len());
        self.push(at, what, anchor)
    }
}

/// How a scalar is to be read, by its style and tag.
fn form(style: ScalarStyle, tag: Option<&Tag>, empty: bool) -> Result<Form, &'static str> {
    let Some(tag) = tag else {
        return Ok(if style == ScalarStyle::Plain { Form::Plain } else { Form::String });
    };
    match tag.core_suffix() {
        Some("str") => Ok(Form::String),
        Some("null") => Ok(Form::Null),
        Some("bool") => Ok(Form::Bool),
        Some("int") => Ok(Form::Int),
        Some("float") => Ok(Form::Float),
        Some(_) if !empty => Err("expected a table or a list after the tag, found a scalar"),
        Some(_) => Err("expected a table or a list after the tag, found nothing"),
        // `!` alone says: not by the schema, hence a string.
        None if tag.handle().is_empty() && tag.suffix() == "!" => Ok(Form::String),
        None if tag.handle() == "!" && tag.suffix().is_empty() => Ok(Form::String),
        None => Err(UNKNOWN_TAG),
    }
}

fn container(tag: Option<&Tag>, suffix: &str) -> Result<(), &'static str> {
    match tag.map(Tag::core_suffix) {
        None => Ok(()),
        Some(Some(found)) if found == suffix => Ok(()),
        Some(Some(_)) => Err("expected what the tag says, found another kind of value"),
        Some(None) if tag.is_some_and(|tag| tag.handle().len() + tag.suffix().len() == 1) => Ok(()),
        Some(None) => Err(UNKNOWN_TAG),
    }
}

const UNKNOWN_TAG: &str = "expected no tag or one of `!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!map`, \
                           `!!seq`, found another tag";

fn fault_at_tag(span: &Span, message: &str) -> Fault {
    let at = span.tag_start().and_then(|mark| mark.byte_offset()).unwrap_or_else(|| offset(span));
    Fault::new(at, message)
}

fn offset(span: &Span) -> usize {
    span.start.byte_offset().expect("a parser over a string knows byte offsets")
}

/// The parser's own words; they name at most one punctuation mark of the text.
fn fault(error: &ScanError, text: &str) -> Fault {
    use granit_parser::ErrorKind as E;
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    let message = match error.kind() {
        E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation | E::TabInPlainScalar => {
            "expected spaces, found a tab: YAML is indented by spaces".into()
        }
        E::UnexpectedCharacter { character } if !character.is_ascii_punctuation() => {
            "found a character that cannot begin a value".into()
        }
        E::UnknownAnchor => "expected an alias of an anchor further up, found one without".into(),
        // The parser's own limit, which looks a few brackets ahead of ours.
        E::RecursionLimitExceeded => Limits::too_deep(Limits::DEEPEST),
        _ => error.info(),
    };
    Fault::new(at, message)
}
