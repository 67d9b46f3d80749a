import pytest
from numpy.testing import assert_array_equal

from bayesmeta.errors import StudyTableError
from bayesmeta.studies import available, bundled, load, load_frame

STUDIES = {
    "bcg": 13,
    "crins2014": 6,
    "eight_schools": 8,
    "hine1989": 6,
    "molloy2014": 16,
    "nielweise2007": 18,
    "nielweise2008": 9,
    "morris2008": 5,
    "normand1999": 9,
    "kraaij_2016_lupus_nephritis/binary": 1,
    "miwa_sle_cohort/paired": 1,
    "power_pose": 6,
    "pritz1997": 14,
    "raudenbush1985": 19,
    "tani_2018_sle_cohort/single_arm": 1,
    "wang_2018_nephrotic_syndrome/binary": 4,
    "yusuf1985_table6": 21,
    "zhou_2019_lupus_nephritis/binary": 6,
}


@pytest.mark.parametrize(("name", "k"), STUDIES.items())
def test_a_bundled_table_has_the_studies_of_its_publication(name, k):
    assert name in available()
    table = load(name)
    assert (table.k, table.source) == (k, name)
    assert table.citation


@pytest.mark.parametrize("name", available())
def test_every_bundled_table_loads_and_says_where_it_comes_from(name):
    assert load(name).k > 0
    source = bundled.bundled_tables()[name].source
    for key in ("title", "citation", "licence", "layout", "units", "taken"):
        assert source[key], key


def test_numbers_as_printed_in_the_publications():
    crins = load("crins2014").select(arms=("IL-2RA", "control")).two_arm()
    assert_array_equal(crins.events_treated, [14, 16, 3, 9, 4, 0])
    assert_array_equal(crins.n_treated, [61, 28, 18, 54, 36, 50])
    assert_array_equal(crins.events_control, [15, 19, 8, 29, 11, 3])
    assert_array_equal(crins.n_control, [20, 28, 12, 54, 36, 34])
    schools = load("eight_schools").contrast()
    assert_array_equal(schools.estimate, [28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16])
    assert load("eight_schools").measure == "GEN"


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(StudyTableError, match=r"bcq: no bundled table has this name.*'bcg'"):
        load("bcq")


def test_an_installed_package_takes_its_own_data_and_nested_names(tmp_path, monkeypatch):
    folder = tmp_path / "_data" / "old" / "review"
    folder.mkdir(parents=True)
    (folder / "binary.csv").write_text("study,yi,vi\nHart,1,1\n", encoding="utf-8")
    (folder / "ages.csv").write_text("study,age\nHart,<70\n", encoding="utf-8")
    text = 'title = "R"\ncitation = "C"\n[tables.binary]\ntitle = "T"\n'
    (folder / "source.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(bundled, "files", lambda _: tmp_path)
    assert available() == {"old/review/binary": "T"}
    table = load("old/review/binary")
    assert (table.source, table.citation) == ("old/review/binary", "C")
    assert load_frame("old/review/ages").to_numpy().tolist() == [["Hart", "<70"]]


def test_an_installation_without_data_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(bundled, "files", lambda _: tmp_path / "bayesmeta")
    with pytest.raises(FileNotFoundError, match="reinstall"):
        available()


def test_an_unknown_frame_suggests_the_nearest():
    with pytest.raises(StudyTableError, match=r"no bundled file has this name.*tani_2018"):
        load_frame("tani_2018_sle_cohort/patient")


def test_what_is_told_goes_before_what_the_source_says():
    assert any("correlation 0.5 assumed" in note for note in load("miwa_sle_cohort/paired").notes)
    notes = load("miwa_sle_cohort/paired", correlation=0.7).notes
    assert any("correlation 0.7 assumed in 3 rows" in note for note in notes)


def test_every_file_of_a_publication_is_explained_in_its_source():
    for folder, at in bundled.bundled_folders().items():
        source = bundled.read_source(at)
        told = {*source.get("tables", {}), *source.get("frames", {})} or {"studies"}
        files = {name for name in bundled.bundled_frames() if name.rpartition("/")[0] == folder}
        assert files == {f"{folder}/{name}" for name in told}
