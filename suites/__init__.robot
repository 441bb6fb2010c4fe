*** Settings ***
Documentation    Does the booking system ever lose a class? Each test is one case: people, a class, what they do,
...              and what must be true afterwards. ``priority`` holds the scenarios written by hand,
...              ``generated`` the cases made by ``tools/pilates.py generate``.

Resource         ../resources/studio.resource

Suite Setup      Connect to the studio
