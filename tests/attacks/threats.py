"""What submissions may try, and the attacks that try it (see docs/attacks.md).

An entry that ends in .py is a file of tests: what it looks at happens after grading.
"""

THREATS = {
    "forging": {
        "tag the test cell so that it is skipped": "tests_tagged_to_be_skipped",
        "call sys.displayhook inside the tested function": "displayhook_in_the_answer displayhook_replaced",
        "show NaN, -1 or 500 as a result": "nan_for_a_result minus_one_for_a_result five_hundred_for_a_result",
        "transform input or syntax tree, so that assertions go": "ast_transformer input_transformer",
        "replace the shell's run_cell, or listen to its events": "run_cell_replaced events_registered",
        "handle exceptions oneself": "custom_exception_handler",
        "patch comparisons": "comparisons_patched",
        "patch `check` itself": "check_patched the_callers_probe_patched",
        "answer subclasses that compare as they like": "subclass_of_int_and_str subclass_of_float subclass_of_ndarray "
        "subclass_of_tensor class_changed_behind_its_back",
        "answer objects that unpickle into code": "unpickles_into_code",
        "answer object arrays": "object_array",
        "answer NaN or infinity": "nan_for_a_result infinity_for_a_result",
        "know the recorded visible answers by heart": "recorded_answers_by_heart",
        "count calls and answer by number": "calls_counted",
        "change the inputs in place": "inputs_changed_in_place the_callers_arrays_changed",
        "leave dtype, seeds, gradients, threads or hooks changed": "settings_left_changed hooks_left_behind",
        "walk frames, gc or descriptors for the verdict": "the_callers_probe_patched everything_that_gc_knows_is_changed "
        "descriptors_searched_for_the_verdict",
        "forge messages on stdout or on the wire": "messages_on_stdout outcome_on_the_wire results_sent_in_advance "
        "garbage_on_the_wire nested_on_the_wire verdict_for_a_result",
        "write into other cells' outputs from a late thread": "late_thread",
        "call the library function that does the exercise": "library_called library_of_another_library "
        "library_in_a_thread library_in_a_bare_thread library_in_an_earlier_thread library_in_another_process "
        "library_behind_the_interpreters_back hook_off_and_on hook_patched",
        "call it under another name": "library_under_another_name",
        "let the course's stand-ins answer": "stand_in_for_the_answer stand_in_called_in_advance "
        "stand_in_of_a_later_exercise a_later_answer_for_an_earlier",
        "give an answer's name to something else afterwards": "answer_changed_by_a_later_cell",
        "bring along or edit what the grader writes": "verdict_in_the_metadata tests_that_show_a_thousand "
        "answers_marked_for_manual_grading",
    },
    "stealing": {
        "read the working folder and ../solutions": "solutions_beside",
        "read the package's own files": "package_files solutions_by_the_stand_ins",
        "read In, _ih, inspect and linecache": "history_of_the_cells",
        "read the gradebook": "gradebook",
        "read other submissions": "neighbours left_for_the_next",
        "read environment variables": "environment",
        "read /proc/*/cmdline": "command_lines",
        "read /proc/*/mem": "memory_of_others",
        "read inherited descriptors": "inherited_descriptors",
        "read shared memory": "shared_memory",
        "use a network of any kind": "network",
        "use the loopback": "loopback",
        "print hidden inputs into the feedback": "hidden_inputs_printed hidden_inputs_kept",
        "use exceptions, keys and types as an oracle": "exceptions_tell_inputs exceptions_spell_inputs "
        "exceptions_named_by_inputs keys_tell_inputs names_of_types_tell_inputs",
    },
    "breaking": {
        "double, delete, rename, reorder test cells": "tests_doubled tests_deleted tests_renamed tests_first tests_swapped "
        "tests_as_text a_right_answer_behind_a_wrong_one",
        "forge points, schema versions, cell types, flags": "marks_forged odd_marks answer_as_text another_format",
        "strip metadata": "marks_stripped",
        "os._exit": "exit_at_once exit_in_every_cell",
        "sys.exit": "sys_exit",
        "KeyboardInterrupt": "keyboard_interrupt",
        "segmentation fault": "segmentation_fault",
        "deep recursion": "deep_recursion",
        "endless loops, in C too": "endless_loop endless_loop_in_c endless_regular_expression just_below_the_limit",
        "sleeping, stopping": "sleep stopped_processes limits_of_its_own",
        "fork and thread bombs": "fork_bomb thread_bomb",
        "memory bombs": "memory_bomb memory_at_once memory_that_no_process_has",
        "full disks, files and folders without end": "full_disk very_many_files folders_without_end",
        "sparse files": "sparse_file",
        "floods of output": "flood_of_output flood_of_outputs flood_past_python",
        "outputs of other kinds than there are": "outputs_of_arrays",
        "results of giant or stride-0 shape": "giant_shape very_many_items results_without_end",
        "double-forked daemons": "daemon",
        "signals to the parent or to every process": "signals_to_everybody",
        "not JSON, not UTF-8, empty": "not_json json_but_no_notebook not_utf8 empty null_character",
        "huge notebooks": "huge very_many_cells very_many_parts very_long_number",
        "deeply nested notebooks": "deeply_nested",
        "wrong kernelspec, none at all": "another_kernelspec no_kernelspec",
        "warnings on stderr from a right answer (keeps its points)": "warnings_from_a_right_answer",
        "asking for input": "input_asked_for",
    },
    "files": {
        "symbolic links": "notebook_that_is_a_link links_beside_it",
        "hard links": "notebook_that_is_a_hard_link hard_links_beside_it",
        "FIFOs and devices": "notebook_that_is_a_pipe notebook_that_is_a_device pipes_and_devices_beside_it",
        "path traversal on collection": "archive_that_leaves_its_folder",
        "nested or exploding zips": "archive_that_explodes",
        "too much beside the notebook": "giant_beside_it very_many_files_beside_it",
        "files that shadow modules, sitecustomize.py, .pth": "modules_that_shadow_ours",
        "HTML files in the submission": "pages_beside_it",
        "an edited timestamp": "timestamp_edited",
    },
    "people": {
        "script in output": "script_in_outputs script_in_streams outputs_brought_along tests/browser/test_hostile.py",
        "script in markdown": "script_in_markdown markdown_output tests/browser/test_hostile.py",
        "script in cell ids": "script_in_cell_ids tests/browser/test_hostile.py",
        "script in file names": "names_of_files tests/browser/test_hostile.py",
        "remote images": "script_in_markdown markdown_output tests/browser/test_hostile.py",
        "formulas in CSV exports": "names_that_are_formulas tests/grader/test_transport.py",
        "terminal control characters in logs": "terminal_commands names_of_files tests/grader/test_transport.py",
        "text that takes its reader's machine long": "text_that_takes_long html_that_takes_long markdown_that_takes_long",
    },
}
