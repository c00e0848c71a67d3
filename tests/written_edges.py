"""Edges of the models whose calls only their own code tells, read there by eye.

``a>b c`` is an edge from `a` to `b` and one to `c`. What the model's own code computes without a layer is
a node of its own, but for what a layer returns, what nothing depends on, and what a compiled function does.
"""

from __future__ import annotations

EDGES = {
    # --- of the zoo ---
    "subclassed": "input>conv; conv>~relu; ~relu>conv#2 ~multiply; conv#2>~sin; ~multiply>~add; "
    "~sin>~add; ~add>block/mix; block/mix>block/relu; block/relu>block; block>~reduce_mean; "
    "~reduce_mean>head; head>~softmax",
    # The branch is decided by a sum of ones, which tells nothing of the input's values.
    "compiled": "input>conv; conv>head",
    # --- shapes ---
    "samples_and_steps_in_one_axis": "input>conv; conv>~reshape; ~reshape>each; each>~reshape#2; "
    "~reshape#2>~mean; ~mean>head",
    "layers_of_no_batch": "input>conv; conv>~reduce_sum ~multiply; ~reduce_sum>~get_item; "
    "~get_item>total; total>~multiply; table>~get_item#2; ~get_item#2>~add; ~multiply>~add; ~add>~mean; "
    "~mean>head",
    "one_dimension_of_zero": "input>conv; conv>~get_item ~concat; ~get_item>empty; empty>~concat; "
    "~concat>~mean; ~mean>head",
    # --- words, names ---
    "text_vectorised_raggedly": "input>~get_item; ~get_item>~string_split; ~string_split>~reduce_join; "
    "~reduce_join>words; words>embed; embed>~mean; ~mean>~softmax",
    "same_name_twice": "input>conv; conv>same; same>same#2; same#2>~mean; ~mean>head",
    # --- Python that needs values: what goes through NumPy or another thread is lost ---
    "decides_in_python": "input>conv; conv>relu; relu>~mean; ~mean>head",
    "numpy_inside": "input>conv; relu>~mean; ~mean>head",
    # Two rounds would do, but each halves: x = tanh(again(x)) |x| / 2, from conv on.
    "loops_over_values": "input>conv; conv>again ~abs; again>~tanh; ~tanh>~multiply; ~abs>~multiply#2; "
    "~multiply>~multiply#2; ~multiply#2>again#2 ~abs#2; again#2>~tanh#2; ~tanh#2>~multiply#3; "
    "~abs#2>~multiply#4; ~multiply#3>~multiply#4; ~multiply#4>again#3 ~abs#3; again#3>~tanh#3; "
    "~tanh#3>~multiply#5; ~abs#3>~multiply#6; ~multiply#5>~multiply#6; ~multiply#6>~mean; ~mean>head",
    "another_thread_inside": "input>conv",
    # --- compiled functions ---
    "function_in_a_layer": "input>conv; conv>holds/mix; holds/mix>holds; holds>~mean; ~mean>head",
    "compiled_layer": "input>conv; conv>compiled/mix; compiled/mix>compiled/mix#2; "
    "compiled/mix#2>compiled/mix#3; compiled/mix#3>compiled; compiled>~mean; ~mean>head",
    "compiled_by_xla": "input>conv; conv>mix; mix>~function; ~function>~mean; ~mean>head",
    "function_of_a_signature": "input>conv; conv>mix; mix>~function; ~function>~mean; ~mean>head",
    "concrete_function": "input>conv; conv>~function; ~function>~mean; ~mean>head",
    # --- control flow: the branch that is taken, the steps that are made ---
    "tf_cond": "input>conv; conv>~reduce_sum yes; ~reduce_sum>~greater; yes>~cond; ~cond>~mean; ~mean>head",
    "tf_switch_case": "input>conv; conv>~reduce_sum one; ~reduce_sum>~less; one>~switch_case; "
    "~switch_case>~mean; ~mean>head",
    "tf_while": "input>conv; conv>step; step>step#2; step#2>step#3; step#3>~while_loop; "
    "~while_loop>~mean; ~mean>head",
    "tf_map": "input>conv; conv>each each#2 each#3; each>~map_fn; each#2>~map_fn; each#3>~map_fn; "
    "~map_fn>~mean; ~mean>head",
    "tf_vectorised_map": "input>conv; conv>~vectorized_map; ~vectorized_map>~mean; ~mean>head",
    # Six rows, of which the first begins the sum.
    "tf_scan": "input>conv; conv>~transpose; ~transpose>step step#2 step#3 step#4 step#5 ~scan; "
    "step>~scan; step#2>~scan; step#3>~scan; step#4>~scan; step#5>~scan; ~scan>~transpose#2; "
    "~transpose#2>~mean; ~mean>head",
    "tf_py_function": "input>conv; conv>~py_function; ~py_function>~mean; ~mean>head",
    "tf_numpy_function": "input>conv; conv>~numpy_function; ~numpy_function>~mean; ~mean>head",
    "ops_cond": "input>conv; conv>~sum yes; ~sum>~greater; yes>~cond; ~cond>~mean; ~mean>head",
    "ops_switch": "input>conv; conv>~sum one; ~sum>~less; one>~switch; ~switch>~mean; ~mean>head",
    "ops_while": "input>conv; conv>step; step>step#2; step#2>step#3; step#3>~while_loop; "
    "~while_loop>~mean; ~mean>head",
    "ops_fori": "input>conv; conv>step; step>step#2; step#2>step#3; step#3>~fori_loop; ~fori_loop>~mean; "
    "~mean>head",
    # Keras begins with zeros like a row, which hold nothing of it.
    "ops_scan": "input>conv; conv>~swapaxes; ~swapaxes>step step#2 step#3 step#4 step#5 step#6; "
    "step>~scan; step#2>~scan; step#3>~scan; step#4>~scan; step#5>~scan; step#6>~scan; ~scan>~swapaxes#2; "
    "~swapaxes#2>~mean; ~mean>head",
    "ops_vectorised_map": "input>conv; conv>~vectorized_map; ~vectorized_map>~mean; ~mean>head",
    # Keras calls the layer on one sample more, to learn what it returns.
    "ops_map": "input>conv; conv>each each#2 each#3 each#4; each#2>~map; each#3>~map; each#4>~map; "
    "~map>~mean; ~mean>head",
    # --- steps by hand ---
    "cell_alone": "input>~get_item ~get_item#2 ~get_item#3 ~get_item#4; ~get_item>cell; cell>cell#2; "
    "~get_item#2>cell#2; cell#2>cell#3; ~get_item#3>cell#3; cell#3>cell#4; ~get_item#4>cell#4; "
    "cell#4>~softmax",
    # --- inputs and outputs ---
    "nested_outputs": "input>parts; parts>head",
    "named_tuples": "input:0>turn; input:1>turn; turn>turn#2; turn#2>~subtract; ~subtract>head",
    # What a layer packs into an object of its own has no tensor to be followed by name.
    "dataclass_between_layers": "input>conv; conv>unpack; unpack>~mean; ~mean>head",
    "dict_of_inputs_to_a_subclass": "input:0>right; input:1>left; left>~add; right>~add; ~add>~softmax",
    "returns_nothing": "input>conv; conv>relu; relu>~mean; ~mean>head",
    "sparse_and_ragged": "input>conv; conv>dense/~sparse_tensor_to_dense; "
    "dense/~sparse_tensor_to_dense>dense; dense>ragged; ragged>~mean; ~mean>head",
    "variable_returned": "input>conv; conv>~multiply; ~multiply>~multiply#2; ~multiply#2>~add; "
    "~add>~mean; ~mean>head",
    # --- subclasses ---
    "own_model_call": "input>mix; mix>head; head>~add; ~add>~softmax",
    "functional_with_own_call": "image>~multiply; ~multiply>conv; conv>gap; gap>out; out>~subtract",
    "layers_in_lists_and_dicts": "input>a0; a0>a1; a1>relu; relu>one two; one>~add; two>~add; ~add>~softmax",
    "layers_out_of_sight": "input>conv; conv>hidden; hidden>~flatten; ~flatten>made; made>~get_item; "
    "~get_item>~mean; ~mean>head",
    "sequential_inside_sequential_inside_subclass": "input>conv; conv>outer/inner/mix; "
    "outer/inner/mix>outer/inner/relu; outer/inner/relu>outer/inner; outer/inner>outer/conv; "
    "outer/conv>outer/inner#2/mix; outer/inner#2/mix>outer/inner#2/relu; "
    "outer/inner#2/relu>outer/inner#2; outer/inner#2>outer; outer>~mean; ~mean>head",
    "calls_itself": "input>conv; conv>again/mix; again/mix>again/~tanh; again/~tanh>again/again/mix; "
    "again/again/mix>again/again/~tanh; again/again/~tanh>again/again/again/mix; "
    "again/again/again/mix>again/again/again; again/again/again>again/again; again/again>again; "
    "again>~mean; ~mean>head",
    "calls_the_call": "input>conv; conv>stack/mix; stack/mix>stack/relu; stack/relu>stack; stack>~mean; "
    "~mean>head",
    "calls_without_state": "input>conv; conv>bn; bn>~mean; ~mean>head",
    "failure_is_caught": "input>conv; conv>fails/mix instead; instead>~mean; ~mean>head",
    "training_forced_inside": "input>conv; conv>drop; drop>norm; norm>~tanh; ~tanh>~mean; ~mean>head",
    # --- what is computed without a layer ---
    "residual_blocks": "input>conv; conv>first/~relu first/~add; first/~relu>first/one; "
    "first/one>first/~add; first/~add>first/two first/~add#2; first/two>first/~add#2; first/~add#2>first; "
    "first>second/~relu second/~add; second/~relu>second/one; second/one>second/~add; "
    "second/~add>second/two second/~add#2; second/two>second/~add#2; second/~add#2>second; second>~mean; "
    "~mean>head",
    "residual_block_in_mixed_precision": "input>block/~relu block/~add; block/~relu>block/one; "
    "block/one>block/~add; block/~add>block/two block/~add#2; block/two>block/~add#2; block/~add#2>block; "
    "block>~multiply; ~multiply>~mean; ~mean>head; head>~softmax",
    "operations_of_both_libraries": "input>conv; conv>~negative ~gelu ~concat; ~gelu>~concat; "
    "~negative>~concat; ~concat>~reshape; ~reshape>~transpose; ~transpose>~softmax ~get_item; "
    "~softmax>~matmul; ~matmul>~true_divide; ~get_item>~absolute; ~absolute>~power; ~power>~subtract; "
    "~true_divide>~subtract; ~subtract>~reshape#2; ~reshape#2>~mean; ~mean>head",
    "operations_of_several_outputs": "input>conv; conv>~split ~unstack; ~split>~moments ~subtract; "
    "~moments>~subtract ~add; ~subtract>~split#2; ~add>~sqrt; ~split#2>~multiply ~multiply#2; "
    "~sqrt>~multiply; ~unstack>~get_item; ~get_item>~multiply#2; ~multiply>~add#2; ~multiply#2>~add#2; "
    "~add#2>~mean; ~mean>head",
    "operations_that_pass_on": "input>conv; conv>~add; ~add>drop; drop>~multiply ~add#2 ~add#3; "
    "~multiply>~add#2; ~add#2>same; same>~add#3; ~add#3>~mean; ~mean>head",
    "operations_in_loops": "input>conv; conv>~multiply ~while_loop ~get_item ~swapaxes; "
    "~multiply>~while_loop; ~while_loop>~reduce_sum ~cond; ~reduce_sum>~greater; ~greater>~cond; "
    "~get_item>~scan; ~swapaxes>~scan; ~scan>~add; ~add>~swapaxes#2; ~swapaxes#2>~map_fn; "
    "~map_fn>~fori_loop; ~cond>~add#2; ~fori_loop>~add#2; ~add#2>~mean; ~mean>head",
    "a_branch_under_another_name": "input>conv; conv>~add; ~add>~mean; ~mean>head",
    "operations_beside_the_call": "input>conv; conv>~multiply; ~multiply>masks/~subtract; "
    "masks/~subtract>masks; masks>~mean; ~mean>head",
    "operations_kept_in_an_object": "input>conv; conv>~add unpack; ~add>unpack/~multiply; "
    "unpack/~multiply>unpack/~sin; unpack/~sin>unpack; unpack>~mean; ~mean>head",
    # --- gradients inside: the slope of sum(energy(x) ** 2) at x is a function of energy(x) ---
    "tape_inside": "input>conv; conv>energy ~subtract; energy>~gradient; ~gradient>~multiply; "
    "~multiply>~subtract; ~subtract>~mean; ~mean>head",
    "custom_gradient": "input>conv; conv>mix; mix>~clipped; ~clipped>~mean; ~mean>head",
    "ops_custom_gradient": "input>conv; conv>mix; mix>~halved; ~halved>~mean; ~mean>head",
    "raw_variables": "input>conv; conv>relu; relu>~matmul; ~matmul>~mean; ~mean>head",
}


def written(name: str) -> set[tuple[str, str]]:
    """Return the edges of one model as pairs of addresses."""
    parts = [part.split(">") for part in EDGES[name].split(";")]
    return {(source.strip(), target) for source, targets in parts for target in targets.split()}
