from fewstain.benchmark.machine import cpu_model, machine_facts


def test_the_processors_model_is_read_where_the_system_tells_it(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(
        "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Fast CPU @ 3.0GHz\n\nprocessor\t: 1\nmodel name\t: Other\n"
    )
    assert cpu_model(file) == "Fast CPU @ 3.0GHz"
    file.write_text("processor\t: 0\n")  # as on some ARM machines
    assert cpu_model(file) in (None, cpu_model(tmp_path / "nowhere"))


def test_a_cell_states_its_machine():
    facts = machine_facts()
    assert set(facts) == {"device", "threads", "processor", "cpu", "cores", "torch"}
    assert facts["cores"] >= facts["threads"] >= 1
    assert facts["torch"][0].isdigit()
