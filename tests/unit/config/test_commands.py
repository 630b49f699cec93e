"""config.md section 7: cleaning and splitting of commands."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.config import parse_config, split_command
from swapper.config.commands import remove_comment_lines
from swapper.core.errors import ConfigError

CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "CMD-1": (
        "serve --a 1 # tail words\n--b 2",
        ("serve", "--a", "1", "#", "tail", "words", "--b", "2"),
    ),
    "CMD-2": (
        'serve \\\n  --a \'x y\' \\\n\n  # gone\n  --b "q\\"r" --c="1 2"3',
        ("serve", "--a", "x y", "--b", 'q"r', "--c=1 23"),
    ),
    "CMD-3": ("# c\nserve x", ("serve", "x")),
    "CMD-4": ("serve \\\n# off \\\n --c", ("serve", "--c")),
    "CMD-5": ("    # foo \\\n bar", ("bar",)),
    "CMD-7": ('a "unclosed b', ("a", "unclosed b")),
    "CMD-8": ("a\\", ("a",)),
    "CMD-9": ("a \\\\", ("a", " ")),
    "CMD-10 plain": ("a b\\c", ("a", "bc")),
    "CMD-10 double": ('a "b\\c"', ("a", "b\\c")),
    "CMD-10 single": ("a 'b\\'", ("a", "b\\")),
    "CMD-11": ("a '' b", ("a", "", "b")),
    "CMD-12": ("a 'it'\\''s'", ("a", "it's")),
    "CMD-13": ('a "\\$x \\"y\\" \\n"', ("a", '$x "y" \\n')),
    "CMD-14": ("a 'l1\nl2'", ("a", "l1\nl2")),
    "CMD-15": ("a 'l1\n# q\nl2'", ("a", "l1\nl2")),
    "CMD-16": (
        'a "$HOME" ~ *.gguf && ls',
        ("a", "$HOME", "~", "*.gguf", "&&", "ls"),
    ),
    "CMD-17": ("a\tb\x0bc\x0cd\re\xa0f", ("a", "b\x0bc\x0cd\re\xa0f")),
    "CMD-18": ('--json \'{"k": "v"}\'', ("--json", '{"k": "v"}')),
    "CMD-19": ('""', ("",)),
    "CMD-20": ("C:\\dir\\tool.exe -m x", ("C:dirtool.exe", "-m", "x")),
    "adjacent parts": ("a\"b c\"'d'", ("ab cd",)),
    "unclosed single": ("a 'b c", ("a", "b c")),
    "indented continuation": ("a 'x\n   y\\\nz'", ("a", "x\ny \nz")),
}


@pytest.mark.parametrize(("text", "arguments"), CASES.values(), ids=CASES.keys())
def test_command_is_split_as_a_posix_shell_would(
    text: str, arguments: tuple[str, ...]
) -> None:
    assert split_command(text) == arguments


@pytest.mark.parametrize("text", ["", "   \n# only", "\\", "# a\n\t# b", "\n\n"])
def test_cmd_6_command_without_words_is_empty(text: str) -> None:
    with pytest.raises(ValueError, match="empty command"):
        split_command(text)


def test_cmd_21_folded_scalar_makes_comments_arguments() -> None:
    text = "models:\n  m:\n    cmd: >\n      serve --a\n      # c\n      --b ${PORT}\n"

    cmd = parse_config(text, environ={}).models["m"].cmd  # type: ignore[index]  # a literal id

    assert split_command(cmd) == ("serve", "--a", "#", "c", "--b", "5800")


def test_cmd_22_folded_scalar_that_begins_with_a_comment_has_no_port() -> None:
    text = "models:\n  m:\n    cmd: >\n      # c\n      serve --b ${PORT}\n"

    with pytest.raises(ConfigError, match=r"models\.m\.proxy.*cmd"):
        parse_config(text, environ={})


def test_only_whole_comment_lines_are_removed() -> None:
    assert remove_comment_lines("a # b\n  # c\nd") == "a # b\nd"


@given(st.text())
def test_splitting_any_text_gives_words_or_a_value_error(text: str) -> None:
    try:
        arguments = split_command(text)
    except ValueError:
        assert not remove_comment_lines(text).strip("\\ \t\r\n\x0b\x0c")
    else:
        assert arguments
        assert all(isinstance(argument, str) for argument in arguments)


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\0"), max_size=9), min_size=1)
)
def test_quoted_words_come_back_unchanged(words: list[str]) -> None:
    text = shlex.join(words)

    # What cleaning takes away even inside of quotes is not under test here.
    if not text.lstrip().startswith("#") and not text.rstrip().endswith("\\"):
        assert split_command(text) == tuple(words)
