"""Robot Framework listener: tells PabotLib where its remote server is.

Pabot 5.2.2 has ``--pabotlibhost`` for that, and then tells its workers 127.0.0.1:8270 all the same (mkorpela/pabot,
issue 717). PabotLib asks for the variable when it is first used, so setting it before the first suite is early enough.
"""

import os
from typing import Any

from robot.libraries.BuiltIn import BuiltIn

ROBOT_LISTENER_API_VERSION = 3


def start_suite(data: Any, result: Any) -> None:
    """Set the variable that PabotLib reads."""
    BuiltIn().set_global_variable("${PABOTLIBURI}", os.environ["PILATES_PABOTLIB"])
