"""What of a process's output goes into an error."""

from swapper.process.logtail import MAX_BYTES, MAX_LINES, tail_lines


def test_lines_come_oldest_first_without_empty_ones() -> None:
    assert tail_lines(b"one\n\n  two \n \nthree") == ("one", "  two", "three")


def test_only_the_last_lines_are_kept() -> None:
    output = b"".join(b"line %d\n" % n for n in range(100))

    assert tail_lines(output) == tuple(f"line {n}" for n in range(80, 100))
    assert len(tail_lines(output)) == MAX_LINES


def test_few_long_lines_are_cut_at_the_front() -> None:
    lines = tail_lines(b"x" * 10_000 + b"\n" + b"y" * 1000)

    assert lines[-1] == "y" * 1000
    assert sum(map(len, lines)) < MAX_BYTES


def test_colours_titles_and_control_characters_are_removed() -> None:
    output = b"\x1b[1;31merror\x1b[0m\x07: \x1b]0;title\x07bad\x00\x9bfile\tx"

    assert tail_lines(output) == ("error: bad\ufffdfile\tx",)


def test_of_a_redrawn_line_the_last_version_is_kept() -> None:
    assert tail_lines(b"10%\r50%\r100%\r\nloaded\r\n") == ("100%", "loaded")


def test_broken_utf8_is_replaced_and_a_cut_character_dropped() -> None:
    assert tail_lines(b"a\xffb") == ("a\ufffdb",)
    assert tail_lines("é".encode() * MAX_BYTES + b"x")[0].startswith("é")


def test_no_output_is_no_lines() -> None:
    assert tail_lines(b"") == ()
