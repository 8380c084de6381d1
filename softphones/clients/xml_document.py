"""XML documents from values that people typed: built by ElementTree, readable by any XML 1.0 parser."""

import re
from xml.etree import ElementTree as ET

# Everything outside the production Char of XML 1.0 (section 2.2); no escape can carry these.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: object) -> str:
    """`text`, which may be a lazy translation, without the characters that XML 1.0 forbids."""
    return _FORBIDDEN.sub("", str(text))


def add(parent: ET.Element, tag: str, text: object = "", **attributes: str) -> ET.Element:
    """Append `<tag>text</tag>` to `parent` and return it."""
    child = ET.SubElement(parent, tag, attributes)
    child.text = clean(text) or None
    return child


def write(root: ET.Element) -> str:
    """The whole document with its declaration; to be sent as UTF-8."""
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
