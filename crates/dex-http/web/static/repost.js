// Presses the button of the page, once; coming back to it shows the button again.
"use strict";
document.getElementById("repost").submit();
