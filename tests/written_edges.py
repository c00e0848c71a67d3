"""Edges of the models whose calls only their own code tells, read there by eye.

``a>b c`` is an edge from `a` to `b` and one to `c`. Operations without a layer are no nodes: an edge
goes through them.
"""

from __future__ import annotations

EDGES = {
    # --- of the zoo ---
    "subclassed": "input>conv; conv>conv#2 block/mix; conv#2>block/mix; block/mix>block/relu; "
    "block/relu>block; block>head",
    # The branch is decided by a sum of ones, which tells nothing of the input's values.
    "compiled": "input>conv; conv>head",
    # --- shapes ---
    "samples_and_steps_in_one_axis": "input>conv; conv>each; each>head",
    "layers_of_no_batch": "input>conv; conv>total head; total>head; table>head",
    "one_dimension_of_zero": "input>conv; conv>empty head; empty>head",
    # --- words, names ---
    "text_vectorised_raggedly": "input>words; words>embed",
    "same_name_twice": "input>conv; conv>same; same>same#2; same#2>head",
    # --- Python that needs values: what goes through NumPy or another thread is lost ---
    "decides_in_python": "input>conv; conv>relu; relu>head",
    "numpy_inside": "input>conv; relu>head",
    # Two rounds would do, but each halves: x = tanh(again(x)) |x| / 2, from conv on.
    "loops_over_values": "input>conv; conv>again again#2 again#3 head; again>again#2 again#3 head;"
    "again#2>again#3 head; again#3>head",
    "another_thread_inside": "input>conv",
    # --- compiled functions ---
    "function_in_a_layer": "input>conv; conv>holds/mix; holds/mix>holds; holds>head",
    "compiled_layer": "input>conv; conv>compiled/mix; compiled/mix>compiled/mix#2;"
    "compiled/mix#2>compiled/mix#3; compiled/mix#3>compiled; compiled>head",
    "compiled_by_xla": "input>conv; conv>mix; mix>head",
    "function_of_a_signature": "input>conv; conv>mix; mix>head",
    "concrete_function": "input>conv; conv>head",
    # --- control flow: the branch that is taken, the steps that are made ---
    "tf_cond": "input>conv; conv>yes; yes>head",
    "tf_switch_case": "input>conv; conv>one; one>head",
    "tf_while": "input>conv; conv>step; step>step#2; step#2>step#3; step#3>head",
    "tf_map": "input>conv; conv>each each#2 each#3; each>head; each#2>head; each#3>head",
    "tf_vectorised_map": "input>conv; conv>head",
    # Six rows, of which the first begins the sum.
    "tf_scan": "input>conv; conv>step step#2 step#3 step#4 step#5 head; step>head; step#2>head; step#3>head;"
    "step#4>head; step#5>head",
    "tf_py_function": "input>conv; conv>head",
    "tf_numpy_function": "input>conv; conv>head",
    "ops_cond": "input>conv; conv>yes; yes>head",
    "ops_switch": "input>conv; conv>one; one>head",
    "ops_while": "input>conv; conv>step; step>step#2; step#2>step#3; step#3>head",
    "ops_fori": "input>conv; conv>step; step>step#2; step#2>step#3; step#3>head",
    # Keras begins with zeros like a row, which hold nothing of it.
    "ops_scan": "input>conv; conv>step step#2 step#3 step#4 step#5 step#6; step>head; step#2>head;"
    "step#3>head; step#4>head; step#5>head; step#6>head",
    "ops_vectorised_map": "input>conv; conv>head",
    # Keras calls the layer on one sample more, to learn what it returns.
    "ops_map": "input>conv; conv>each each#2 each#3 each#4; each#2>head; each#3>head; each#4>head",
    # --- steps by hand ---
    "cell_alone": "input>cell cell#2 cell#3 cell#4; cell>cell#2; cell#2>cell#3; cell#3>cell#4",
    # --- inputs and outputs ---
    "nested_outputs": "input>parts; parts>head",
    "named_tuples": "input:0>turn; input:1>turn; turn>turn#2; turn#2>head",
    # What a layer packs into an object of its own has no tensor to be followed by name.
    "dataclass_between_layers": "input>conv; conv>unpack; unpack>head",
    "dict_of_inputs_to_a_subclass": "input:0>right; input:1>left",
    "returns_nothing": "input>conv; conv>relu; relu>head",
    "sparse_and_ragged": "input>conv; conv>dense; dense>ragged; ragged>head",
    "variable_returned": "input>conv; conv>head",
    # --- subclasses ---
    "own_model_call": "input>mix; mix>head",
    "functional_with_own_call": "image>conv; conv>gap; gap>out",
    "layers_in_lists_and_dicts": "input>a0; a0>a1; a1>relu; relu>one two",
    "layers_out_of_sight": "input>conv; conv>hidden; hidden>~flatten; ~flatten>made; made>head",
    "sequential_inside_sequential_inside_subclass": "input>conv; conv>outer/inner/mix;"
    "outer/inner/mix>outer/inner/relu; outer/inner/relu>outer/inner; outer/inner>outer/conv;"
    "outer/conv>outer/inner#2/mix; outer/inner#2/mix>outer/inner#2/relu;"
    "outer/inner#2/relu>outer/inner#2; outer/inner#2>outer; outer>head",
    "calls_itself": "input>conv; conv>again/mix; again/mix>again/again/mix;"
    "again/again/mix>again/again/again/mix; again/again/again/mix>again/again/again;"
    "again/again/again>again/again; again/again>again; again>head",
    "calls_the_call": "input>conv; conv>stack/mix; stack/mix>stack/relu; stack/relu>stack; stack>head",
    "calls_without_state": "input>conv; conv>bn; bn>head",
    "failure_is_caught": "input>conv; conv>fails/mix instead; instead>head",
    "training_forced_inside": "input>conv; conv>drop; drop>norm; norm>head",
    # --- gradients inside: the slope of sum(energy(x) ** 2) at x is a function of energy(x) ---
    "tape_inside": "input>conv; conv>energy head; energy>head",
    "custom_gradient": "input>conv; conv>mix; mix>head",
    "ops_custom_gradient": "input>conv; conv>mix; mix>head",
    "raw_variables": "input>conv; conv>relu; relu>head",
}


def written(name: str) -> set[tuple[str, str]]:
    """Return the edges of one model as pairs of addresses."""
    parts = [part.split(">") for part in EDGES[name].split(";")]
    return {(source.strip(), target) for source, targets in parts for target in targets.split()}
