// Presses the button of the page for the person.
"use strict";
document.getElementById("repost").submit();
