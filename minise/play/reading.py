from minise.errors import InputError


def about(watcher, name, panel):
    raise InputError("read: not built yet")
